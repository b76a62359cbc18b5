/** What a caller needs for an endpoint. Declared with each of them, in `@Operation`: an endpoint without one does not compile. */
import type { Scope } from '@spine/core';

export { SCOPES } from '@spine/core';
export type { Scope } from '@spine/core';

/**
 * `read`: looks at something. `submit`: asks for work. `operate`: changes what is under way, or a definition. `admin`: keys, the
 * database, other callers' locks. `metrics`: the numbers for Prometheus. `open`: anybody. `signed`: the body's own signature decides.
 */
export type EndpointScope = Scope | 'open' | 'signed';

/**
 * What a key that is confined to a namespace finds at an endpoint. An endpoint that declares none refuses it.
 *
 * `run`: the guard looks whether the run named `:run_id` in the path is of the namespace. `dead_letter`: the same of
 * `:dead_letter_id`. `filtered`: the handler shows and changes only what {@link runScopeOf} lets it. `shared`: the same for
 * everybody, and nothing about runs.
 */
export type Confinement = 'run' | 'dead_letter' | 'filtered' | 'shared';
