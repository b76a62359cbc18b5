/**
 * The words of the engine, kept apart on purpose:
 * - a **run** is one accepted piece of work and its row; an **attempt** is one claim of it by a worker;
 * - a **hint** is a queue job that names runs worth claiming; it decides nothing;
 * - the **lease** is a worker's time-limited hold on a run, the **epoch** the fence that makes late writes harmless;
 * - a **lane** is a named queue; a **slot** is room for one run in a worker.
 */
export const RunKind = { Task: 'task', Operation: 'operation', Workflow: 'workflow', Step: 'step' } as const;
export type RunKind = (typeof RunKind)[keyof typeof RunKind];
export const RUN_KINDS = ['task', 'operation', 'workflow', 'step'] as const;

/** Most urgent first. The index of a name is the number the database and the queue order by. */
export const PRIORITIES = ['realtime', 'high', 'normal', 'low', 'slow'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** 0 (realtime) to 4 (slow). */
export function priorityRank(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}

/** The name of a rank; ranks outside 0 to 4 are clamped. */
export function priorityOf(rank: number): Priority {
  return PRIORITIES[Math.min(Math.max(Math.trunc(rank), 0), PRIORITIES.length - 1)] ?? 'normal';
}

/** The key of a handler: `kind:name`, as in `task:echo`. Kinds hold no colon, so the first one separates. */
export function handlerKey(kind: RunKind, name: string): string {
  return `${kind}:${name}`;
}
