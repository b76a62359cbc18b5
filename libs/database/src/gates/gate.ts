/**
 * What has to be free before a run may start, as `runs.gates` holds it. The one place where its JSON becomes a type.
 */
import { rateSpecFromJson, rateSpecToJson } from './rate-json.ts';
import type { RateSpec } from './rate.ts';

/** A spec's gates stay with its run; a handler's are replaced by what the worker that claims knows of the handler. */
export type GateOrigin = 'spec' | 'handler';

export interface ConcurrencyGate {
  readonly type: 'concurrency';
  readonly key: string;
  /** Runs under the key at the same time. */
  readonly limit: number;
  readonly from: GateOrigin;
}

export interface RateGate {
  readonly type: 'rate';
  readonly key: string;
  readonly rate: RateSpec;
  readonly from: GateOrigin;
}

export interface BreakerGate {
  readonly type: 'breaker';
  /** Of the dependency. */
  readonly key: string;
  readonly from: GateOrigin;
}

export interface SingletonGate {
  readonly type: 'singleton';
  readonly key: string;
  readonly from: GateOrigin;
}

export type Gate = ConcurrencyGate | RateGate | BreakerGate | SingletonGate;
export type GateType = Gate['type'];

/** In the order in which a run is held up: the first shut gate is the one whose line it joins. */
export const GATE_TYPES = [
  'singleton',
  'breaker',
  'concurrency',
  'rate',
] as const satisfies readonly GateType[];

/** A gate, whatever it asks for. */
export interface GateKey {
  readonly type: GateType;
  readonly key: string;
}

/** Equal for equal gates. */
export function gateId({ type, key }: GateKey): string {
  return `${type} ${key}`;
}

/** JSON text for `runs.gates`; null for no gates. */
export function encodeGates(gates: readonly Gate[]): string | null {
  return gates.length === 0 ? null : JSON.stringify(gates.map(toJson));
}

function toJson(gate: Gate): object {
  const from = gate.from === 'handler' ? { from: 'handler' } : {};
  switch (gate.type) {
    case 'concurrency':
      return { type: gate.type, key: gate.key, limit: gate.limit, ...from };
    case 'rate':
      return { type: gate.type, key: gate.key, ...rateSpecToJson(gate.rate), ...from };
    case 'breaker':
    case 'singleton':
      return { type: gate.type, key: gate.key, ...from };
  }
}

/** What `runs.gates` holds; null for what this release cannot read, which is for a later one to decide about. */
export function decodeGates(value: unknown): readonly Gate[] | null {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) return null;
  const gates: Gate[] = [];
  for (const item of value) {
    const gate = fromJson(item);
    if (gate === null) return null;
    gates.push(gate);
  }
  return gates;
}

function fromJson(value: unknown): Gate | null {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('key' in value)) return null;
  const { type, key } = value;
  if (typeof key !== 'string') return null;
  const from = 'from' in value && value.from === 'handler' ? 'handler' : 'spec';
  switch (type) {
    case 'concurrency':
      if (!('limit' in value) || typeof value.limit !== 'number' || !(value.limit >= 1)) return null;
      return { type, key, limit: value.limit, from };
    case 'rate': {
      const rate = rateSpecFromJson(value);
      return rate === null ? null : { type, key, rate, from };
    }
    case 'breaker':
    case 'singleton':
      return { type, key, from };
    default:
      return null;
  }
}
