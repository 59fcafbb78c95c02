/**
 * The HTTP API as a function from request to response; who listens is somebody else's business.
 *
 * @module
 */
import { Hono } from "hono/tiny";
import type { Context } from "hono";
import { refusalOf } from "./access.ts";
import { answerEvents } from "./events.ts";
import { explain } from "./explain.ts";
import { type BuildInfo, METRICS_TYPE, metricsText } from "./metrics.ts";
import type { Access, ActionResult, Actions } from "./model.ts";
import type { StatusStore } from "./store.ts";
import { viewStatus } from "./view.ts";

/** What the API is made of. */
export interface AppOptions {
  readonly store: StatusStore;
  readonly actions: Actions;
  /** Of the listener that this app stands behind. */
  readonly access: Access;
  readonly build: BuildInfo;
  /** Period of the comments that keep a silent event stream open, in milliseconds; default 15,000. */
  readonly keepAliveMs?: number;
  /** How many event streams may be open at once; default 64. */
  readonly maxStreams?: number;
  /** How long an action may take, in milliseconds; default 30,000. */
  readonly actionTimeoutMs?: number;
  /** The nearest of the known names, for whoever names an instance that does not exist. */
  readonly nearest?: (name: string, known: readonly string[]) => string | null;
  /** Told of exceptions, which the client sees as a bare 500. */
  readonly onError?: (error: Error) => void;
}

/** Makes the API for one listener. `app.fetch` goes to the listener; tests use `app.request()`. */
export function createApp(options: AppOptions): Hono {
  const { store } = options;
  const app = new Hono();
  const status = () => viewStatus(store.snapshot());

  app.use("*", async (c, next) => {
    await next();
    // The runtime would call the body that is left out empty.
    if (c.req.method === "HEAD" && c.res.body !== null) {
      c.header("content-length", String((await c.res.clone().arrayBuffer()).byteLength));
    }
  });
  app.get(
    "/",
    (c) => c.json({ node: store.snapshot().node, version: options.build.version, routes: routesOf(app) }),
  );
  app.get("/status", (c) => c.json(status()));
  app.get("/healthz", (c) => {
    const { healthy, problems } = status();
    return c.json({ healthy, problems }, healthy ? 200 : 503);
  });
  app.get(
    "/metrics",
    (c) => c.body(metricsText(status(), options.build), 200, { "content-type": METRICS_TYPE }),
  );
  const streams = { open: 0 };
  app.get("/events", (c) => answerEvents(c, store, streams, options));
  app.get("/explain", (c) => c.json(explain(status())));
  app.get("/explain/:instance", (c) => {
    const name = c.req.param("instance");
    return unknownInstance(c, options, name) ?? c.json(explain(status(), name));
  });
  app.get("/openapi.json", async (c) => {
    const { openapi } = await import("./openapi.ts");
    return c.json(openapi(options.build.version));
  });
  addActions(app, options);

  app.notFound((c) => {
    const routes = routesOf(app);
    const methods = routes.filter((route) => matches(route, c.req.path)).map((route) => route.split(" ")[0]!);
    if (methods.length > 0) {
      const allow = methods.includes("GET") ? [...methods, "HEAD"] : methods;
      return c.json({ error: `${c.req.method} is not possible here` }, 405, { allow: allow.join(", ") });
    }
    return c.json({ error: `There is nothing at ${c.req.path}`, routes }, 404);
  });
  app.onError((error, c) => {
    options.onError?.(error);
    return c.json({ error: "Internal error" }, 500);
  });
  return app;
}

/** `GET /status`, `POST /release/{instance}`, … */
function routesOf(app: Hono): string[] {
  return app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
}

function matches(route: string, path: string): boolean {
  const pattern = route.split(" ")[1]!.split("/");
  const parts = path.split("/");
  return pattern.length === parts.length &&
    pattern.every((part, i) => part.startsWith("{") ? parts[i] !== "" : part === parts[i]);
}

function addActions(app: Hono, options: AppOptions): void {
  const { actions } = options;
  const inUnits = async (result: Promise<ActionResult>): Promise<ActionResult> => {
    const answer = await result;
    return { ...answer, text: options.store.inUnits(answer.text) };
  };
  const perform = (c: Context, name: string, run: (() => Promise<ActionResult>) | null) =>
    answerAction(c, name, run, options);

  // Before anything is looked up: who may not act learns nothing else either.
  app.use("*", async (c, next) => {
    if (c.req.method === "GET" || c.req.method === "HEAD") return await next();
    const refusal = refusalOf(options.access, c.req.header("authorization") ?? null);
    if (refusal === null) return await next();
    if (refusal.status === 401) c.header("www-authenticate", "Bearer");
    return c.json({ error: refusal.error }, refusal.status);
  });
  app.post("/reload", (c) => perform(c, "reload", actions.reload ? () => actions.reload!() : null));
  app.post("/release/:instance", (c) => {
    const name = c.req.param("instance");
    const run = actions.release ? () => inUnits(actions.release!(name)) : null;
    return unknownInstance(c, options, name) ?? perform(c, "release", run);
  });
  app.post("/resume/:instance", (c) => {
    const name = c.req.param("instance");
    const run = actions.resume ? () => inUnits(actions.resume!(name)) : null;
    return unknownInstance(c, options, name) ?? perform(c, "resume", run);
  });
  app.post("/maintenance", async (c) => {
    const body: unknown = await c.req.json().catch(() => null);
    const { on, ...others } = Object(body) as Record<string, unknown>;
    const wanted = 'the body must be {"on": true} or {"on": false}';
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) return unknownName(c, options, "key", unknown, ["on"], wanted, 400);
    if (typeof on !== "boolean") return c.json({ error: `Cannot read the request: ${wanted}` }, 400);
    return await perform(c, "maintenance", actions.maintenance ? () => actions.maintenance!(on) : null);
  });
}

function unknownInstance(c: Context, options: AppOptions, name: string): Response | null {
  const names = options.store.instanceNames();
  if (names.includes(name)) return null;
  return unknownName(c, options, "instance", name, names, `there are: ${names.join(", ") || "none"}`, 404);
}

/** Names the nearest of the known names, or says what else helps. */
function unknownName(
  c: Context,
  { nearest }: AppOptions,
  kind: string,
  name: string,
  known: readonly string[],
  help: string,
  status: 400 | 404,
): Response {
  const guess = nearest?.(name, known) ?? null;
  const error = `There is no ${kind} ${name} (${guess === null ? help : `did you mean ${guess}?`})`;
  return c.json(guess === null ? { error } : { error, did_you_mean: guess }, status);
}

async function answerAction(
  c: Context,
  name: string,
  run: (() => Promise<ActionResult>) | null,
  { actionTimeoutMs = 30_000, onError }: AppOptions,
): Promise<Response> {
  if (run === null) return c.json({ error: `This daemon cannot do ${name}` }, 501);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => timer = setTimeout(resolve, actionTimeoutMs, null));
  try {
    const result = await Promise.race([run(), late]);
    if (result === null) return c.json({ error: `The daemon did not finish ${name} in time` }, 504);
    const { ok, text, problems } = result;
    const answer = problems === undefined ? { ok, text } : { ok, text, problems };
    return c.json(answer, ok ? 200 : problems !== undefined && problems.length > 0 ? 422 : 409);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    onError?.(error);
    return c.json({ error: `The daemon could not ${name}: ${error.message}` }, 500);
  } finally {
    clearTimeout(timer);
  }
}
