import { beforeEach, describe, expect, test } from "bun:test";
import type { InstanceReport, InstanceState } from "../../../../mod/bus/messages.ts";
import { type NoticeConfig, Notices } from "../../../../mod/control/notices.ts";
import type { NotifyPlan } from "../../../../mod/notify/model.ts";
import type { VrrpConfig } from "../../../../mod/vrrp/config.ts";
import { config as router } from "../../../router_config.ts";

/** Commands that tell their own name, so that it is seen whose they are. */
function plan(name: string): NotifyPlan {
  const specific = (state: string) => [[`${name}-${state}`]];
  return {
    master: specific("master"),
    backup: specific("backup"),
    fault: specific("fault"),
    stop: specific("stop"),
    any: [["any"]],
  };
}

function wanted(routers: readonly Partial<VrrpConfig>[], groups: readonly string[] = []): NoticeConfig {
  const vrrp = routers.map((part) => router({ unit: part.name ?? "web", ...part }));
  const units = new Set(vrrp.map(({ unit }) => unit));
  return {
    vrrp,
    notify: Object.fromEntries([...units].map((unit) => [unit, plan(unit)])),
    groupNotify: Object.fromEntries(groups.map((group) => [group, plan(group)])),
  } as unknown as NoticeConfig;
}

let ran: string[];
beforeEach(() => {
  ran = [];
});

function begin(config: NoticeConfig): Notices {
  return new Notices(config, (_, __, commands) => {
    for (const argv of commands) ran.push(argv.join(" "));
  });
}

/** What ran since this was asked last. */
function news(): string[] {
  return ran.splice(0);
}

const report = (name: string, state: InstanceState, effective: number) =>
  ({ name, state, priority: { base: 100, effective, adjustments: [] } }) as unknown as InstanceReport;

/** Starts with a config and lets its routers become master. */
function masters(config: NoticeConfig): Notices {
  const notices = begin(config);
  notices.changed(true);
  for (const { name } of config.vrrp) notices.transition(name, "backup", 150);
  for (const { name } of config.vrrp) notices.transition(name, "master", 150);
  news();
  return notices;
}

test("each state of an instance runs its own commands, then the generic ones; INIT runs none", () => {
  const notices = begin(wanted([{ name: "web" }]));
  notices.transition("web", "init", 150);
  notices.transition("web", "master", 150);
  expect(news()).toEqual(["web-master", "any INSTANCE web MASTER 150"]);
});

test("what a control process before this one was told of runs nothing, but is known", () => {
  const notices = begin(wanted([{ name: "web", group: "site" }], ["site"]));
  notices.transition("web", "master", 150, true);
  notices.changed(true, true);
  expect(news()).toEqual([]);
  notices.change(wanted([]));
  notices.gone("web");
  notices.changed(true);
  expect(news()).toEqual([
    "web-fault",
    "any INSTANCE web FAULT 150",
    "site-fault",
    "any GROUP site FAULT 0",
  ]);
});

describe("a reload", () => {
  test("an instance that is replaced is in fault, the new one begins; each runs its own commands", () => {
    const notices = masters(wanted([{ name: "web" }]));
    notices.change(wanted([{ name: "web9", vrid: 9 }]));
    notices.gone("web");
    notices.transition("web (leaving)", "backup", 150);
    notices.transition("web9", "backup", 100);
    notices.changed(true);
    notices.transition("web9", "master", 100);
    expect(news()).toEqual([
      "web-fault",
      "any INSTANCE web FAULT 150",
      "web9-backup",
      "any INSTANCE web9 BACKUP 100",
      "web9-master",
      "any INSTANCE web9 MASTER 100",
    ]);
  });

  test("another virtual router under the same name is another instance", () => {
    const notices = masters(wanted([{ name: "web" }]));
    notices.change(wanted([{ name: "web", vrid: 9 }]));
    notices.gone("web");
    notices.transition("web", "backup", 100);
    notices.changed(true);
    expect(news()).toEqual([
      "web-fault",
      "any INSTANCE web FAULT 150",
      "web-backup",
      "any INSTANCE web BACKUP 100",
    ]);
  });

  test("the effective priority of the removed one is told", () => {
    const notices = masters(wanted([{ name: "web" }]));
    notices.observe(report("web", "master", 130));
    notices.change(wanted([]));
    notices.gone("web");
    expect(news()).toContain("any INSTANCE web FAULT 130");
  });

  test("one that was in fault already, and one that never began, hear nothing more", () => {
    const notices = masters(wanted([{ name: "web" }, { name: "lan", vrid: 2 }]));
    notices.transition("web", "fault", 150);
    news();
    notices.change(wanted([{ name: "new", vrid: 3 }]));
    notices.gone("web");
    notices.changed(true);
    notices.change(wanted([]));
    notices.gone("new");
    expect(news()).toEqual([]);
  });

  test("an instance that is only called otherwise goes on without a word", () => {
    const notices = masters(wanted([{ name: "web" }]));
    notices.change(wanted([{ name: "shop" }]));
    notices.gone("web");
    notices.changed(true);
    expect(news()).toEqual([]);
    notices.transition("shop", "backup", 150);
    expect(news()).toEqual(["shop-backup", "any INSTANCE shop BACKUP 150"]);
  });

  test("one that goes on with the addresses of one family has not failed", () => {
    const ipv4 = { name: "web", unit: "web", group: "web" };
    const ipv6 = { name: "web:ipv6", unit: "web", group: "web", family: "ipv6" } as const;
    const notices = masters(wanted([ipv4, ipv6]));
    notices.change(wanted([{ name: "web", unit: "web", family: "ipv6" }]));
    notices.gone("web");
    notices.gone("web:ipv6");
    notices.changed(true);
    expect(news()).toEqual([]);
    notices.change(wanted([]));
    notices.gone("web");
    expect(news()).toEqual(["web-fault", "any INSTANCE web FAULT 150"]);
  });

  test("one that the engine refuses changes nothing", () => {
    const notices = masters(wanted([{ name: "web" }]));
    notices.change(wanted([{ name: "web9", vrid: 9 }]));
    notices.changed(false);
    notices.transition("web", "backup", 150);
    expect(news()).toEqual(["web-backup", "any INSTANCE web BACKUP 150"]);
  });

  test("a group that is removed is in fault; a new one is what its members are", () => {
    const member = (group: string | null) => ({ name: "web", group });
    const notices = masters(wanted([member("site")], ["site"]));
    notices.change(wanted([member("rack")], ["rack"]));
    notices.changed(true);
    expect(news()).toEqual([
      "site-fault",
      "any GROUP site FAULT 0",
      "rack-master",
      "any GROUP rack MASTER 0",
    ]);
  });

  test("a group that gets another member follows it", () => {
    const notices = masters(wanted([{ name: "web", group: "site" }], ["site"]));
    const lan = { name: "lan", vrid: 2, group: "site" };
    notices.change(wanted([{ name: "web", group: "site" }, lan], ["site"]));
    notices.transition("lan", "backup", 100);
    notices.changed(true);
    notices.transition("lan", "master", 100);
    expect(news().filter((line) => line.includes("GROUP"))).toEqual([
      "any GROUP site BACKUP 0",
      "any GROUP site MASTER 0",
    ]);
  });

  test("unchanged instances and groups run nothing", () => {
    const config = wanted([{ name: "web", group: "site" }], ["site"]);
    const notices = masters(config);
    notices.change(wanted([{ name: "web", group: "site", priority: 90 }], ["site"]));
    notices.changed(true);
    expect(news()).toEqual([]);
  });
});

test("the end tells the effective priority of instances, and 0 of groups, as keepalived does", () => {
  const notices = masters(wanted([{ name: "web", group: "site" }, { name: "lan", vrid: 2 }], ["site"]));
  notices.observe(report("web", "master", 130));
  notices.stop();
  expect(news()).toEqual([
    "web-stop",
    "any INSTANCE web STOP 130",
    "lan-stop",
    "any INSTANCE lan STOP 150",
    "site-stop",
    "any GROUP site STOP 0",
  ]);
});

test("an instance without commands runs none, whatever it is called", () => {
  const notices = begin({
    ...wanted([{ name: "constructor", group: "valueOf" }]),
    notify: {},
    groupNotify: {},
  });
  notices.transition("constructor", "master", 150);
  expect(news()).toEqual([]);
});
