/** How important a log record is, the least important first. */
export type LogLevel = "debug" | "info" | "warning" | "error";
