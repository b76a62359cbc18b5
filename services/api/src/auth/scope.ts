/** What a caller needs for an endpoint. Declared with each of them, in `@Operation`: an endpoint without one does not compile. */

/** What a key may be given. `admin` includes all others; none of the others includes another. */
export const SCOPES = ['read', 'submit', 'operate', 'admin', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * `read`: looks at something. `submit`: asks for work. `operate`: changes what is under way, or a definition. `admin`: keys, the
 * database, other callers' locks. `metrics`: the numbers for Prometheus. `open`: anybody. `signed`: the body's own signature decides.
 */
export type EndpointScope = Scope | 'open' | 'signed';
