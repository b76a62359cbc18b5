import type { RunKind } from '@spine/core';
import type { RunEvent } from '@spine/database';

/** What of a run an event can be asked for by; it never changes. */
export interface RunFacts {
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly namespace: string | null;
}

/** Which events are wanted; an absent member asks for nothing. */
export interface EventFilter extends Partial<Omit<RunFacts, 'namespace'>> {
  readonly namespace?: string;
  readonly runId?: string;
  readonly types?: ReadonlySet<string>;
}

/** Whether the filter asks about runs, and not only about events. */
export function needsFacts({ kind, name, lane, namespace }: EventFilter): boolean {
  return [kind, name, lane, namespace].some((asked) => asked !== undefined);
}

/** @param facts of the event's run; undefined when it is gone. Looked at only if {@link needsFacts}. */
export function matches(filter: EventFilter, event: RunEvent, facts: RunFacts | undefined): boolean {
  if (filter.runId !== undefined && filter.runId !== event.runId) return false;
  if (filter.types !== undefined && !filter.types.has(event.eventType)) return false;
  if (!needsFacts(filter)) return true;
  if (facts === undefined) return false;
  return (
    (filter.kind === undefined || filter.kind === facts.kind) &&
    (filter.name === undefined || filter.name === facts.name) &&
    (filter.lane === undefined || filter.lane === facts.lane) &&
    (filter.namespace === undefined || filter.namespace === facts.namespace)
  );
}
