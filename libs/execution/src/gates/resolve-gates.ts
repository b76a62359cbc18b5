/** The gates of a run: what its spec asks for and what its handler asks for, each key once. Pure. */
import { decodeGates, gateId } from '@spine/database';
import type { Gate } from '@spine/database';
import type { SpecGates } from './gates-json.ts';
import { rateSpecOf } from './handler-gates.ts';
import type { HandlerGates } from './handler-gates.ts';
import type { KeySubject } from './key-template.ts';

/** The gates a spec asks for. It has been checked. */
export function gatesOfSpec(spec: SpecGates & { readonly singletonKey?: string }): readonly Gate[] {
  return mergeGates([
    ...(spec.singletonKey === undefined
      ? []
      : [{ type: 'singleton', key: spec.singletonKey, from: 'spec' } as const]),
    ...(spec.breakers ?? []).map((key): Gate => ({ type: 'breaker', key, from: 'spec' })),
    ...(spec.concurrency ?? []).map(({ key, limit }): Gate => ({
      type: 'concurrency',
      key,
      limit,
      from: 'spec',
    })),
    ...(spec.rateLimits ?? []).map((rate): Gate => ({
      type: 'rate',
      key: rate.key,
      rate: rateSpecOf(rate, rate.key),
      from: 'spec',
    })),
  ]);
}

/** What a spec that asks for the same gates again says; the handler's are made anew. */
export function specOfGates(stored: unknown): SpecGates {
  const gates = (decodeGates(stored) ?? []).filter(({ from }) => from === 'spec');
  const concurrency = gates.flatMap((gate) =>
    gate.type === 'concurrency' ? [{ key: gate.key, limit: gate.limit }] : [],
  );
  const rateLimits = gates.flatMap((gate) => {
    if (gate.type !== 'rate') return [];
    const { algorithm, limit, perMs } = gate.rate;
    const burst = gate.rate.algorithm === 'token_bucket' ? { burst: gate.rate.burst } : {};
    return [{ key: gate.key, algorithm, limit, perSeconds: perMs / 1_000, ...burst }];
  });
  const breakers = gates.flatMap((gate) => (gate.type === 'breaker' ? [gate.key] : []));
  return {
    ...(concurrency.length === 0 ? {} : { concurrency }),
    ...(rateLimits.length === 0 ? {} : { rateLimits }),
    ...(breakers.length === 0 ? {} : { breakers }),
  };
}

/**
 * The gates of a waiting run as they are now: its spec's as they were stored, its handler's as this process knows them.
 *
 * @param handler null for a handler without gates, or one this process does not know.
 * @param subject `params` null where they are not at hand; keys made from them stay as they were stored.
 * @returns null for stored gates that this release cannot read.
 */
export function gatesOfRun(
  stored: unknown,
  handler: HandlerGates | null,
  subject: KeySubject,
): readonly Gate[] | null {
  const gates = decodeGates(stored);
  if (gates === null || handler === null) return gates;
  const made = gates.filter(({ from }) => from === 'handler');
  if (handler.readsParams && subject.params === null && made.length > 0) return gates;
  return mergeGates([...gates.filter(({ from }) => from === 'spec'), ...handler.gatesOf(subject)]);
}

/** Each key once; of two limits under one key the stricter counts. */
export function mergeGates(gates: readonly Gate[]): readonly Gate[] {
  const merged = new Map<string, Gate>();
  for (const gate of gates) {
    const id = gateId(gate);
    const known = merged.get(id);
    merged.set(id, known === undefined ? gate : stricter(known, gate));
  }
  return [...merged.values()];
}

function stricter(a: Gate, b: Gate): Gate {
  if (a.type === 'concurrency' && b.type === 'concurrency')
    return b.limit < a.limit ? { ...a, limit: b.limit } : a;
  if (a.type === 'rate' && b.type === 'rate') {
    return b.rate.limit / b.rate.perMs < a.rate.limit / a.rate.perMs ? { ...a, rate: b.rate } : a;
  }
  return a;
}
