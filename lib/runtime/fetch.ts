/**
 * HTTP over a unix socket.
 *
 * @module
 */

/**
 * `fetch()` of a path from the server behind a unix socket. `path` starts with a slash: `/status?x=1`.
 *
 * Rejects like `fetch()` does; {@link codeOf} tells ENOENT (no socket), ECONNREFUSED (nobody listens) and EACCES apart.
 */
export function fetchUnix(socketPath: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://localhost${path}`, { ...init, unix: socketPath } as BunFetchRequestInit);
}
