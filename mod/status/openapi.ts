/**
 * The description of the API (OpenAPI 3.1). It names exactly the routes that the app has.
 *
 * @module
 */
import * as z from "zod/mini";
import {
  actionSchema,
  errorSchema,
  eventSchema,
  explainSchema,
  healthSchema,
  maintenanceSchema,
  statusSchema,
} from "./schema.ts";

type Json = Record<string, unknown>;

const SCHEMAS = {
  Status: statusSchema,
  Event: eventSchema,
  Explanation: explainSchema,
  Health: healthSchema,
  Action: actionSchema,
  Error: errorSchema,
  Maintenance: maintenanceSchema,
};

function schemaOf(name: keyof typeof SCHEMAS): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function json(description: string, schema: Json): Json {
  return { description, content: { "application/json": { schema } } };
}

const error = (description: string) => json(description, schemaOf("Error"));

function get(operationId: string, summary: string, responses: Json, parameters: readonly Json[] = []): Json {
  return { get: { operationId, summary, ...(parameters.length > 0 ? { parameters } : {}), responses } };
}

function post(operationId: string, summary: string, more: Json = {}): Json {
  const { responses, ...rest } = more;
  return {
    post: {
      operationId,
      summary,
      security: [{}, { token: [] }],
      ...rest,
      responses: {
        200: json("Done", schemaOf("Action")),
        401: error("No token was given, or a wrong one"),
        403: error("The listener is read-only"),
        409: json("Refused", schemaOf("Action")),
        500: error("It failed; the daemon's log says more"),
        501: error("This daemon cannot do that"),
        504: error("The daemon did not finish in time; it may still do it"),
        ...(responses as Json | undefined),
      },
    },
  };
}

function query(name: string, description: string, schema: Json): Json {
  return { name, in: "query", required: false, description, schema };
}

const INSTANCE = {
  name: "instance",
  in: "path",
  required: true,
  description: "Name of an instance",
  schema: { type: "string" },
};
const NO_INSTANCE = { 404: error("There is no instance of that name") };

const EVENT_PARAMETERS = [
  query("follow", "false = the remembered history as an array, without waiting for more", {
    type: "boolean",
    default: true,
  }),
  query(
    "since",
    "Begin after the event of this number, or at this time (ISO 8601); 0 = with the whole history",
    { type: "string" },
  ),
  {
    name: "Last-Event-ID",
    in: "header",
    required: false,
    description:
      "The number of the event that was heard last, sent by clients of event streams when they connect again; it goes before " +
      "`since`",
    schema: { type: "string" },
  },
];

const EVENTS = {
  200: {
    description: "The events: a stream of which each `data` is one event, or with `follow=false` an array",
    content: {
      "text/event-stream": { schema: { type: "string" } },
      "application/json": { schema: { type: "array", items: schemaOf("Event") } },
    },
  },
  400: error("`since` or `follow` cannot be read"),
  503: error("Too many event streams are open"),
};

const PATHS: Readonly<Record<string, Json>> = {
  "/": get("index", "The routes", { 200: json("Names of the routes", { type: "object" }) }),
  "/status": get("status", "Everything about the running daemon", {
    200: json("Status", schemaOf("Status")),
  }),
  "/healthz": get("health", "Whether all is well", {
    200: json("All is well", schemaOf("Health")),
    503: json("Something is in fault, down or split", schemaOf("Health")),
  }),
  "/metrics": get("metrics", "The same in figures, for Prometheus", {
    200: { description: "Metrics", content: { "text/plain": { schema: { type: "string" } } } },
  }),
  "/events": get(
    "events",
    "What happens from now on; with `since` also what came before",
    EVENTS,
    EVENT_PARAMETERS,
  ),
  "/explain": get("explainAll", "Why each instance is in its state", {
    200: json("Sentences", schemaOf("Explanation")),
  }),
  "/explain/{instance}": get("explain", "Why an instance is in its state", {
    200: json("Sentences", schemaOf("Explanation")),
    ...NO_INSTANCE,
  }, [INSTANCE]),
  "/openapi.json": get("openapi", "This description", { 200: json("OpenAPI 3.1", { type: "object" }) }),
  "/reload": post("reload", "Reads the config file again and applies the difference", {
    responses: { 422: json("The file has mistakes; nothing was changed", schemaOf("Action")) },
  }),
  "/release/{instance}": post("release", "Steps down without a gap and stays down", {
    parameters: [INSTANCE],
    responses: NO_INSTANCE,
  }),
  "/resume/{instance}": post("resume", "Ends a release", { parameters: [INSTANCE], responses: NO_INSTANCE }),
  "/maintenance": post("maintenance", "Releases or resumes every instance", {
    requestBody: { required: true, content: { "application/json": { schema: schemaOf("Maintenance") } } },
    responses: { 400: error("The body is not understood") },
  }),
};

/** The document at `/openapi.json`. */
export function openapi(version: string): Json {
  const schemas = Object.entries(SCHEMAS).map(([name, schema]) => {
    const { $schema: _, ...rest } = z.toJSONSchema(schema) as Json;
    return [name, rest];
  });
  return {
    openapi: "3.1.0",
    info: {
      title: "appliance",
      version,
      description: "State of, and orders to, the appliance daemon of one node",
    },
    paths: PATHS,
    components: {
      schemas: Object.fromEntries(schemas),
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}
