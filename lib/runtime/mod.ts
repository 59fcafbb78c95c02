/**
 * What only the runtime can do and no web or `node:` interface offers: listening for HTTP, HTTP over a unix socket,
 * starting a child on given descriptors, and starting this same program again. Besides lib/libc this is the only
 * folder that names the runtime.
 *
 * @module
 */
export * from "./environment.ts";
export * from "./fetch.ts";
export * from "./lines.ts";
export * from "./memory.ts";
export * from "./reason.ts";
export * from "./self.ts";
export * from "./serve.ts";
export * from "./spawn.ts";
