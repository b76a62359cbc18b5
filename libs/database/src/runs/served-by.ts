/**
 * Who may execute a run: the one condition for claims, for waking lines and for explanations.
 *
 * A worker names the handlers it knows, `kind:name`. One that runs whatever is published of a kind names the kind whole,
 * `workflow:*`: it may take those of its runs whose name is published, and leaves others to a worker that knows them by
 * their own name.
 */

/** In place of a name: whatever of the kind is published. Names have no such character. */
export const ANY_NAME = '*';

/** How a worker names a whole kind among the handlers it knows. */
export const WHOLE_WORKFLOWS = `workflow:${ANY_NAME}`;

/**
 * A condition. The subquery is of one value and not EXISTS, so that it stays a look at the primary key and never becomes a
 * hash of the whole table; it is not reached for another kind.
 *
 * @param handlers an expression of the worker's keys, `text[]`.
 */
export function servedBy(handlers: string, { kind, name } = { kind: 'r.kind', name: 'r.name' }): string {
  return `(${kind} || ':' || ${name} = ANY (${handlers}) OR ${kind} = 'workflow' AND '${WHOLE_WORKFLOWS}' = ANY (${handlers})
      AND (SELECT true FROM workflows p WHERE p.name = ${name}))`;
}
