import { describe, expect, test } from "bun:test";
import { type AppOptions, createApp } from "../../../../mod/status/app.ts";
import { nearest } from "../../../../mod/config/names.ts";
import type { Actions } from "../../../../mod/status/model.ts";
import {
  actionSchema,
  eventSchema,
  explainSchema,
  healthSchema,
  statusSchema,
} from "../../../../mod/status/schema.ts";
import * as z from "zod/mini";
import { BUILD, filledStore, NOW, probe } from "./fixture.ts";

type Json = Record<string, unknown>;

function recorder(): { readonly calls: unknown[][]; readonly actions: Required<Actions> } {
  const calls: unknown[][] = [];
  const act = (name: string) => (...args: unknown[]) => {
    calls.push([name, ...args]);
    return Promise.resolve({ ok: true, text: `${name} done` });
  };
  return {
    calls,
    actions: {
      reload: act("reload"),
      release: act("release"),
      resume: act("resume"),
      maintenance: act("maintenance"),
    },
  };
}

function newApp(options: Partial<AppOptions> = {}) {
  const store = options.store ?? filledStore();
  const app = createApp({
    store,
    actions: recorder().actions,
    access: { type: "full" },
    build: BUILD,
    nearest,
    ...options,
  });
  return { app, store };
}

describe("reading", () => {
  test("/status, /explain and /healthz are what their schemas say", async () => {
    const { app, store } = newApp();
    statusSchema.parse(await (await app.request("/status")).json());
    explainSchema.parse(await (await app.request("/explain")).json());
    const one = explainSchema.parse(await (await app.request("/explain/lan")).json());
    expect(one.instances.map(({ name }) => name)).toEqual(["lan"]);
    const sick = await app.request("/healthz");
    expect(sick.status).toBe(503);
    expect(healthSchema.parse(await sick.json())).toEqual({
      healthy: false,
      problems: ["probe nginx is down: connection refused"],
    });
    store.setSources({ probes: () => [probe({ state: "up" })] });
    const well = await app.request("/healthz");
    expect(well.status).toBe(200);
    expect(await well.json()).toEqual({ healthy: true, problems: [] });
  });

  test("/metrics is Prometheus' text", async () => {
    const response = await newApp().app.request("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await response.text()).toContain("\nappliance_healthy 0\n");
  });

  test("an unknown path is answered with the routes, a wrong method with the right ones", async () => {
    const { app } = newApp();
    const unknown = await app.request("/stats");
    expect(unknown.status).toBe(404);
    const body = await unknown.json() as Json;
    expect(body["error"]).toBe("There is nothing at /stats");
    expect(body["routes"]).toContain("GET /status");
    expect(body["routes"]).toContain("POST /release/{instance}");
    const wrong = await app.request("/status", { method: "POST" });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("GET, HEAD");
    expect((await app.request("/release/web")).headers.get("allow")).toBe("POST");
  });

  test("HEAD answers like GET, without a body", async () => {
    const { app } = newApp();
    for (const path of ["/status", "/metrics", "/events", "/openapi.json", "/"]) {
      const response = await app.request(path, { method: "HEAD" });
      expect([path, response.status, await response.text()]).toEqual([path, 200, ""]);
    }
    expect((await app.request("/healthz", { method: "HEAD" })).status).toBe(503);
  });

  test("an exception is told to the log and not to the client", async () => {
    const { app, store } = newApp({ onError: (error) => told.push(error.message) });
    const told: string[] = [];
    store.setSources({
      probes: () => {
        throw new Error("inner secret");
      },
    });
    const response = await app.request("/status");
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('{"error":"Internal error"}');
    expect(told).toEqual(["inner secret"]);
  });
});

describe("/openapi.json", () => {
  test("names exactly the routes of the app", async () => {
    const { app } = newApp();
    const document = await (await app.request("/openapi.json")).json() as { paths: Record<string, Json> };
    const described = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`)
    );
    const routes = app.routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    expect(described.toSorted()).toEqual(routes.toSorted());
    expect(routes.length).toBe(12);
  });

  test("has every schema that it refers to, and every parameter of a path", async () => {
    const text = await (await newApp().app.request("/openapi.json")).text();
    const document = JSON.parse(text) as {
      openapi: string;
      info: { version: string };
      paths: Record<string, Record<string, { parameters?: { name: string; in: string }[]; responses: Json }>>;
      components: { schemas: Json };
    };
    expect(document.openapi).toBe("3.1.0");
    expect(document.info.version).toBe("9.9.9");
    const referred = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!);
    expect(referred.length).toBeGreaterThan(10);
    for (const name of referred) expect(document.components.schemas).toHaveProperty(name);
    for (const [path, item] of Object.entries(document.paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
      for (const operation of Object.values(item)) {
        const declared = (operation.parameters ?? []).filter((p) => p.in === "path").map(({ name }) => name);
        expect(declared).toEqual(inPath);
        expect(operation.responses).toHaveProperty("200");
      }
    }
  });

  test("names every status that was seen in these tests' answers", async () => {
    const reload = () => Promise.reject(new Error("the engine is gone"));
    const { app } = newApp({ actions: { reload, release: () => new Promise(() => {}) }, actionTimeoutMs: 5 });
    const { paths } = await (await app.request("/openapi.json")).json() as {
      paths: Record<string, Record<string, { responses: Json }>>;
    };
    const seen: [string, string, number][] = [];
    const see = async (method: string, path: string, route = path, body?: string) => {
      const response = await app.request(path, body === undefined ? { method } : { method, body });
      seen.push([method.toLowerCase(), route, response.status]);
    };
    await see("GET", "/healthz");
    await see("GET", "/events?follow=x", "/events");
    await see("GET", "/explain/nope", "/explain/{instance}");
    await see("POST", "/release/nope", "/release/{instance}");
    await see("POST", "/resume/web", "/resume/{instance}");
    await see("POST", "/maintenance", "/maintenance", "nonsense");
    await see("POST", "/reload");
    await see("POST", "/release/web", "/release/{instance}");
    expect(seen.map(([, , status]) => status)).toEqual([503, 400, 404, 404, 501, 400, 500, 504]);
    for (const [method, route, status] of seen) {
      expect(Object.keys(paths[route]![method]!.responses)).toContain(String(status));
    }
  });
});

describe("acting", () => {
  const post = (path: string, headers: Record<string, string> = {}, body?: string) => ({
    path,
    init: body === undefined ? { method: "POST", headers } : { method: "POST", headers, body },
  });

  test("calls the daemon and passes its answer on", async () => {
    const { calls, actions } = recorder();
    const { app } = newApp({ actions });
    for (const path of ["/reload", "/release/web", "/resume/lan"]) {
      const response = await app.request(path, { method: "POST" });
      expect(response.status).toBe(200);
      actionSchema.parse(await response.json());
    }
    await app.request("/maintenance", { method: "POST", body: '{"on": true}' });
    expect(calls).toEqual([["reload"], ["release", "web"], ["resume", "lan"], ["maintenance", true]]);
  });

  test("tells a refusal and a bad config apart", async () => {
    const { app } = newApp({
      actions: {
        reload: () => Promise.resolve({ ok: false, text: "refused", problems: ["f:1:2: x"] }),
        release: () => Promise.resolve({ ok: false, text: "it is the owner" }),
        resume: () => Promise.reject(new Error("the engine is gone")),
      },
    });
    const bad = await app.request("/reload", { method: "POST" });
    expect([bad.status, await bad.json()]).toEqual([422, {
      ok: false,
      text: "refused",
      problems: ["f:1:2: x"],
    }]);
    const refused = await app.request("/release/web", { method: "POST" });
    expect([refused.status, await refused.json()]).toEqual([409, { ok: false, text: "it is the owner" }]);
    const broken = await app.request("/resume/web", { method: "POST" });
    expect([broken.status, await broken.json()]).toEqual([500, {
      error: "The daemon could not resume: the engine is gone",
    }]);
    const absent = await app.request("/maintenance", { method: "POST", body: '{"on": false}' });
    expect([absent.status, await absent.json()]).toEqual([501, {
      error: "This daemon cannot do maintenance",
    }]);
  });

  test("an action that never ends is given up", async () => {
    const { app } = newApp({ actions: { reload: () => new Promise(() => {}) }, actionTimeoutMs: 5 });
    const response = await app.request("/reload", { method: "POST" });
    expect([response.status, await response.json()]).toEqual([504, {
      error: "The daemon did not finish reload in time",
    }]);
  });

  test("an unknown instance is answered with the nearest one", async () => {
    const { calls, actions } = recorder();
    const { app } = newApp({ actions });
    const near = await app.request("/release/wbe", { method: "POST" });
    expect([near.status, await near.json()]).toEqual([404, {
      error: "There is no instance wbe (did you mean web?)",
      did_you_mean: "web",
    }]);
    const far = await app.request("/explain/completely-different");
    expect((await far.json() as Json)["error"]).toBe(
      "There is no instance completely-different (there are: web, lan)",
    );
    expect(calls).toEqual([]);
  });

  test("maintenance wants a body that says on or off", async () => {
    const { calls, actions } = recorder();
    const { app } = newApp({ actions });
    for (const body of ["", "{", "null", "[]", '{"on": "yes"}', "{}", "7", '"on"', '{"on": true, "x": 1}']) {
      const response = await app.request("/maintenance", { method: "POST", body });
      expect([body, response.status]).toEqual([body, 400]);
    }
    const near = await app.request("/maintenance", { method: "POST", body: '{"onn": true}' });
    expect(await near.json()).toEqual({
      error: "There is no key onn (did you mean on?)",
      did_you_mean: "on",
    });
    expect(calls).toEqual([]);
  });

  test("a listener with a token is read-only without it", async () => {
    const { calls, actions } = recorder();
    let token: string | null = null;
    const { app } = newApp({ actions, access: { type: "token", token: () => token } });
    const ask = async (authorization?: string) => {
      const { path, init } = post("/reload", authorization === undefined ? {} : { authorization });
      const response = await app.request(path, init);
      return [response.status, (await response.json() as Json)["error"]];
    };
    const readOnly = "This listener is read-only: no token is configured (api.token_file)";
    expect(await ask()).toEqual([403, readOnly]);
    expect(await ask("Bearer null")).toEqual([403, readOnly]);
    token = "";
    expect(await ask("Bearer ")).toEqual([403, readOnly]);
    token = "s3cret";
    expect(await ask()).toEqual([401, "A bearer token is needed here (Authorization: Bearer …)"]);
    expect(await ask("Basic czNjcmV0")).toEqual([
      401,
      "A bearer token is needed here (Authorization: Bearer …)",
    ]);
    expect(await ask("Bearer s3cre")).toEqual([401, "The bearer token is wrong"]);
    expect(await ask("Bearer s3crett")).toEqual([401, "The bearer token is wrong"]);
    expect(calls).toEqual([]);
    expect(await ask("Bearer s3cret")).toEqual([200, undefined]);
    expect(await ask("bearer s3cret")).toEqual([200, undefined]);
    expect(calls.length).toBe(2);
    expect((await app.request("/status")).status).toBe(200);
    // Nothing is learnt about instances, bodies or routes by who may not act.
    for (const path of ["/release/nope", "/maintenance", "/nothing"]) {
      expect((await app.request(path, { method: "POST" })).status).toBe(401);
    }
  });
});

describe("/events?follow=false", () => {
  const { app, store } = newApp();
  for (let i = 1; i <= 3; i++) {
    store.add({
      atMs: NOW + i * 1000,
      kind: "transition",
      subject: "web",
      text: `event ${i}`,
      detail: { from: "init" },
    });
  }
  const texts = async (query: string, headers: Record<string, string> = {}) => {
    const response = await app.request(`/events?follow=false${query}`, { headers });
    if (response.status !== 200) return response.status;
    return z.array(eventSchema).parse(await response.json()).map(({ text }) => text);
  };

  test("is the history, or what came after a number or a time", async () => {
    expect(await texts("")).toEqual(["event 1", "event 2", "event 3"]);
    expect(await texts("&since=1")).toEqual(["event 2", "event 3"]);
    expect(await texts("&since=3")).toEqual([]);
    expect(await texts("", { "last-event-id": "2" })).toEqual(["event 3"]);
    // A reader of a stream comes back with the number that it heard last, by the address that it had.
    expect(await texts("&since=0", { "last-event-id": "2" })).toEqual(["event 3"]);
    expect(await texts(`&since=${new Date(NOW + 2000).toISOString()}`)).toEqual(["event 2", "event 3"]);
  });

  test("beyond the newest there is nothing, but for a reader who heard more from another run", async () => {
    expect(await texts("&since=99")).toEqual([]);
    expect(await texts("", { "last-event-id": "99" })).toEqual(["event 1", "event 2", "event 3"]);
  });

  test("refuses what it cannot read", async () => {
    expect(await texts("&since=yesterday")).toBe(400);
    expect(await texts("&since=-1")).toBe(400);
    expect((await app.request("/events?follow=maybe")).status).toBe(400);
  });
});
