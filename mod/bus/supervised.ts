/**
 * What `run --supervise` and the engine that it starts have between them.
 *
 * @module
 */

/** Name of the environment variable that tells the engine that it is supervised. */
export const SUPERVISED = "APPLIANCE_SUPERVISED";

/**
 * Exit code of a supervised engine that a SIGUSR2 has ended: it is to be started anew at once. EX_TEMPFAIL. A supervisor
 * and the newer engine that it starts must agree on it, so it stays what it is.
 */
export const EXIT_HANDED_ON = 75;

/**
 * Exit code of an engine that ended by a fault of the program: like a crash, and unlike one that could not start, it is
 * to be started anew. EX_SOFTWARE.
 */
export const EXIT_FAULT = 70;
