/** nginx dies on the master: until the peer serves. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Line, Row } from "../measure.ts";
import {
  type Daemon,
  holdsAddress,
  type Kind,
  lacksAddress,
  type Pair,
  pauseSomewhere,
  type Setup,
  startDaemon,
  web,
  withPair,
} from "../daemon.ts";
import { nowMs } from "../../netns/lab/client.ts";
import { VIP } from "../../netns/lab/config.ts";
import { findProgram } from "../../netns/lab/need.ts";
import type { Nginx } from "../../netns/lab/nginx.ts";
import type { LabNode } from "../../netns/lab/topology.ts";

const INTERVAL_MS = 1000;
const CLIENT_MS = 20;
const WEIGHT = -60;

/** How the daemon learns of the death. */
type Form = "probe" | "script" | "told";

function tellFile(node: LabNode): string {
  return join(node.directory("told"), "weight");
}

function setupOf(form: Form, node: LabNode, nginx: Nginx, priority: number): Setup {
  const routers = [web(priority, INTERVAL_MS)];
  switch (form) {
    case "probe": {
      const probe = {
        type: "nginx",
        url: "http://127.0.0.1/",
        process: { pid_file: nginx.pidFile },
        interval: "200ms",
        timeout: "500ms",
        rise: 2,
        fall: 2,
      };
      return {
        routers,
        appliance: {
          file: { probes: { nginx: probe } },
          instance: { track: [{ probe: "nginx", weight: WEIGHT }] },
        },
      };
    }
    case "script": {
      const check = `"${findProgram("curl")} -fs -m 1 -o /dev/null http://127.0.0.1/"`;
      const times = ["  interval 1", "  timeout 1", "  rise 2", "  fall 2", `  weight ${WEIGHT}`];
      const blocks = ["vrrp_script nginx {", `  script ${check}`, ...times, "}"];
      return {
        routers,
        keepalived: {
          globals: ["script_user root"],
          blocks,
          instance: ["track_script {", "  nginx", "}"],
        },
      };
    }
    case "told":
      return {
        routers,
        keepalived: {
          blocks: ["track_file nginx {", `  file ${tellFile(node)}`, "}"],
          instance: ["track_file {", "  nginx weight 1", "}"],
        },
      };
  }
}

function start(form: Form, node: LabNode, nginx: Nginx, priority: number): Promise<Daemon> {
  writeFileSync(tellFile(node), "0\n");
  return startDaemon(
    form === "probe" ? "appliance" : "keepalived",
    node,
    setupOf(form, node, nginx, priority),
  );
}

/** Milliseconds from the death to the peer's first answer, one a round. */
export function deaths(form: Form, rounds: number, say: Bench["say"]): Promise<number[]> {
  const kind: Kind = form === "probe" ? "appliance" : "keepalived";
  return withPair(kind, `nginx-${form[0]}`, async ({ a, b, client }: Pair) => {
    const [mine, other] = [await a.startNginx(), await b.startNginx()];
    const master = await start(form, a, mine, 150);
    const successor = await start(form, b, other, 120);
    await holdsAddress(master);
    const http = client.http(`http://${VIP}/`, CLIENT_MS);
    const took: number[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`${kind} by ${form}, round ${round + 1} of ${rounds}`);
      await http.answered({ who: "a", sinceMs: nowMs() });
      await pauseSomewhere(1000, 2000);
      const killedMs = nowMs();
      const dead = mine.killHard();
      if (form === "told") writeFileSync(tellFile(a), `${WEIGHT}\n`);
      await dead;
      await http.answered({ who: "b", sinceMs: killedMs, timeoutMs: 15_000 });
      took.push(http.answers.find(({ atMs, who }) => who === "b" && atMs > killedMs)!.atMs - killedMs);
      if (round === rounds - 1) break;
      await mine.restart();
      writeFileSync(tellFile(a), "0\n");
      await lacksAddress(successor);
      await holdsAddress(master);
    }
    return took;
  });
}

async function run({ rounds, say }: Bench): Promise<Line[]> {
  const count = rounds(5, 2);
  const results = await Promise.allSettled(
    (["probe", "script", "told"] as const).map((form) => deaths(form, count, say)),
  );
  const [ours, script, told] = results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
  const common = { unit: "ms", ours: ours!, budget: 800 } as const;
  return [
    {
      ...common,
      what: "death → the peer's first answer; keepalived with a script, median",
      statistic: "median",
      keepalived: script!,
      note: "a probe of 200 ms against keepalived's shortest script interval of 1 s; both rise 2, fall 2",
    },
    {
      ...common,
      what: "the same; keepalived as with track_process, median",
      statistic: "median",
      keepalived: told!,
      note:
        "track_process is blind in a network namespace (no process connector): a track_file is written at the " +
        "moment of the death, which is the soonest that track_process can know of it",
    },
    {
      ...common,
      what: "the same, worst; keepalived with a script",
      statistic: "worst",
      keepalived: script!,
      budget: null,
    },
  ];
}

export const nginx: Row = {
  name: "nginx",
  title: "nginx killed → the peer serves, adverts of 1 s",
  needs: ["nginx", "curl"],
  run,
};
