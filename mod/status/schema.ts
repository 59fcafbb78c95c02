/**
 * The documents of the status API as schemas: the source of their types and of the API's description.
 *
 * @module
 */
import * as z from "zod/mini";
import { DROP_REASONS } from "../bus/messages.ts";

const text = z.string();
const count = z.int().check(z.nonnegative());
const isoTime = z.iso.datetime();
const textOrNull = z.nullable(text);
const numberOrNull = z.nullable(z.number());

const droppedSchema = z.record(z.enum(DROP_REASONS), count);

const trackSchema = z.strictObject({
  /** `probe:nginx`, `interface:eth1`, `tunnel:gretap1`. */
  source: text,
  /** null = its failure means FAULT. */
  weight: numberOrNull,
  reverse: z.boolean(),
});

const stateSchema = z.enum(["init", "backup", "master", "fault"]);
const familySchema = z.enum(["ipv4", "ipv6"]);

const instanceSchema = z.strictObject({
  name: text,
  /** Of an instance with addresses of both families the worse of two, which differ for a moment only. */
  state: stateSchema,
  since: isoTime,
  reason: text,
  vrid: z.int(),
  version: z.union([z.literal(2), z.literal(3)]),
  /** The first of `families`. */
  family: familySchema,
  families: z.array(familySchema),
  /** The sync group that it is a member of. */
  group: textOrNull,
  interface: text,
  priority: z.strictObject({
    base: z.int(),
    effective: z.int(),
    adjustments: z.array(z.strictObject({ source: text, weight: z.number() })),
  }),
  /** The first of `masters`. */
  master: z.nullable(z.strictObject({ address: text, priority: z.int() })),
  /** The master as each family knows it. */
  masters: z.array(z.strictObject({ family: familySchema, address: text, priority: z.int() })),
  addresses: z.array(text),
  /** Addresses that come and go with the virtual ones without being advertised, routes and rules. */
  extra: z.array(text),
  routes: z.array(text),
  rules: z.array(text),
  /** What of these should be in place now and is not, and why. */
  problems: z.array(text),
  transitions: count,
  adverts: z.strictObject({
    sent: count,
    received: count,
    dropped: droppedSchema,
    priority_zero_sent: count,
    priority_zero_received: count,
    send_errors: count,
    address_mismatch: count,
    interval_mismatch: count,
  }),
  announced: count,
  repaired: count,
  faults: z.array(text),
  waiting: z.array(text),
  advert_interval_ms: z.number(),
  master_down_interval_ms: z.number(),
  preempt: z.boolean(),
  /** When a lower master that is heard will be preempted, after the configured delay. */
  preempt_at: z.nullable(isoTime),
  /** Families over which no master is heard while the rest of the group does not follow into mastership. */
  unheard: z.array(familySchema),
  released: z.boolean(),
  split_brain_with: textOrNull,
  /** Why its last advertisement could not be sent. */
  send_error: textOrNull,
  track: z.array(trackSchema),
});

const groupSchema = z.strictObject({
  name: text,
  /** The worst that a member is in; master only when all are. */
  state: stateSchema,
  since: isoTime,
  members: z.array(text),
});

const probeSchema = z.object({
  name: text,
  type: text,
  state: z.enum(["unknown", "up", "down"]),
  since: isoTime,
  latency_ms: numberOrNull,
  error: textOrNull,
  value: z.optional(numberOrNull),
  runs: z.optional(count),
  failures: z.optional(count),
  last_change_reason: z.optional(textOrNull),
});

const tunnelSchema = z.strictObject({
  name: text,
  type: text,
  local: textOrNull,
  remote: textOrNull,
  state: text,
  since: z.optional(isoTime),
  latency_ms: z.optional(numberOrNull),
  error: z.optional(textOrNull),
  /** The one key of both directions; null when there is none, or one for each. */
  key: z.optional(numberOrNull),
  ikey: z.optional(numberOrNull),
  okey: z.optional(numberOrNull),
  /** 0 = that of the packet inside. */
  ttl: z.optional(z.number()),
  /** Bytes; null while there is no interface. */
  mtu: z.optional(numberOrNull),
  /** Who moves the packets; null while there is no interface. */
  datapath: z.optional(z.nullable(z.enum(["kernel", "user"]))),
  addresses: z.optional(z.array(text)),
  /** Times that something of it was put back after someone else had changed it. */
  repairs: z.optional(count),
  last_repair: z.optional(textOrNull),
  last_change_reason: z.optional(textOrNull),
  /** Questions to its far end and their answers; null where nobody asks. */
  keepalive: z.optional(z.nullable(z.strictObject({
    methods: z.optional(z.array(text)),
    target: z.optional(textOrNull),
    interval_ms: z.optional(z.number()),
    retries: z.optional(count),
    sent: count,
    received: count,
  }))),
});

const serviceSchema = z.object({
  name: text,
  state: text,
  pid: z.nullable(z.int()),
  restarts: count,
  since: z.optional(isoTime),
  error: z.optional(textOrNull),
});

const balanceSchema = z.record(text, z.unknown());

/** `GET /status`. */
export const statusSchema = z.strictObject({
  node: text,
  version: text,
  /** No instance in fault, no tracked probe down, no split brain, no tunnel down, no service failed. */
  healthy: z.boolean(),
  /** What is not well, in words; empty exactly when healthy. */
  problems: z.array(text),
  /** Whether an operator made the whole node stand back; it lasts over restarts of the daemon. */
  maintenance: z.boolean(),
  time: isoTime,
  uptime_s: z.number(),
  instances: z.array(instanceSchema),
  /** Sync groups. */
  groups: z.array(groupSchema),
  /** What is there whoever is master. */
  static: z.strictObject({
    addresses: z.array(text),
    routes: z.array(text),
    rules: z.array(text),
    problems: z.array(text),
  }),
  probes: z.array(probeSchema),
  tunnels: z.array(tunnelSchema),
  services: z.array(serviceSchema),
  balance: z.array(balanceSchema),
  config: z.nullable(z.strictObject({
    file: textOrNull,
    at: isoTime,
    ok: z.boolean(),
    problems: z.array(text),
  })),
  engine: z.strictObject({
    pid: z.nullable(z.int()),
    control_restarts: count,
    realtime: z.boolean(),
    dropped: droppedSchema,
    lateness: z.nullable(z.strictObject({
      bounds_ms: z.array(z.number()),
      counts: z.array(count),
      sum_ms: z.number(),
    })),
  }),
});

/** One element of `GET /events?follow=false`, and the data of each server-sent event. */
export const eventSchema = z.strictObject({
  id: z.int(),
  at: isoTime,
  kind: text,
  subject: textOrNull,
  text,
  detail: z.record(text, z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

const explanationSchema = z.strictObject({ name: text, state: stateSchema, sentences: z.array(text) });

/** `GET /explain`. */
export const explainSchema = z.strictObject({
  instances: z.array(explanationSchema),
  /** Empty where one instance was asked for. */
  groups: z.array(explanationSchema),
});

/** `GET /healthz`. */
export const healthSchema = z.strictObject({ healthy: z.boolean(), problems: z.array(text) });

/** The answer to every request to act. */
export const actionSchema = z.strictObject({
  ok: z.boolean(),
  text,
  problems: z.optional(z.array(text)),
});

/** The answer to whatever cannot be answered otherwise. */
export const errorSchema = z.strictObject({
  error: text,
  routes: z.optional(z.array(text)),
  did_you_mean: z.optional(text),
});

/** The body of `POST /maintenance`. */
export const maintenanceSchema = z.strictObject({ on: z.boolean() });

export type StatusDocument = z.infer<typeof statusSchema>;
export type InstanceEntry = z.infer<typeof instanceSchema>;
export type GroupEntry = z.infer<typeof groupSchema>;
export type TrackEntry = z.infer<typeof trackSchema>;
export type ProbeEntry = z.infer<typeof probeSchema>;
export type TunnelEntry = z.infer<typeof tunnelSchema>;
export type ServiceEntry = z.infer<typeof serviceSchema>;
export type BalanceEntry = z.infer<typeof balanceSchema>;
export type EventDocument = z.infer<typeof eventSchema>;
export type ExplainDocument = z.infer<typeof explainSchema>;
export type ActionDocument = z.infer<typeof actionSchema>;
export type ErrorDocument = z.infer<typeof errorSchema>;
