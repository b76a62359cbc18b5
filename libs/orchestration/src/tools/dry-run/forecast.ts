/** Which steps a run will take if nothing fails and no step chooses the next one, as far as its params tell. */
import type { JsonObject } from '@spine/core';
import type { Edge } from '../../workflow/graph.ts';
import type { Step } from '../../workflow/model.ts';
import type { WorkflowShape } from '../shape.ts';
import { decide } from './known.ts';

/**
 * `runs`; `skipped`: its own condition does not hold, what depends on it goes on; `not_taken`: a choice goes another way;
 * `depends`: only the run will tell.
 */
export const FORECASTS = ['runs', 'skipped', 'not_taken', 'depends'] as const;
export type Forecast = (typeof FORECASTS)[number];

interface Arrival {
  readonly from: string;
  readonly edge: Edge;
}

/** By step, in the order of `shape.order`. */
export function forecastSteps(
  steps: ReadonlyMap<string, Step>,
  shape: WorkflowShape,
  params: JsonObject,
): ReadonlyMap<string, Forecast> {
  const arrivals = new Map<string, Arrival[]>(shape.graph.names.map((name) => [name, []]));
  for (const [from, edges] of shape.graph.outgoing)
    for (const edge of edges) if (edge.kind !== 'order') arrivals.get(edge.to)?.push({ from, edge });
  const forecasts = new Map<string, Forecast>();
  const chosen = new Map<string, string | null>();
  for (const name of shape.order) {
    const step = steps.get(name);
    if (step === undefined) continue;
    const reached = reach(arrivals.get(name) ?? [], forecasts, chosen);
    const own = step.when === undefined ? true : decide(step.when, params);
    forecasts.set(name, combine(reached, own));
    if (step.kind === 'choice') {
      const target = chooses(step, params);
      if (target !== undefined) chosen.set(name, target);
    }
  }
  return forecasts;
}

/** Whether any way leads to a step; null where only the run will tell. */
function reach(
  arrivals: readonly Arrival[],
  forecasts: ReadonlyMap<string, Forecast>,
  chosen: ReadonlyMap<string, string | null>,
): boolean | null {
  if (arrivals.length === 0) return true;
  let unknown = false;
  for (const { from, edge } of arrivals) {
    const before = forecasts.get(from) ?? 'depends';
    // A choice that is skipped chooses nothing.
    if (before === 'not_taken' || (before === 'skipped' && edge.kind === 'route')) continue;
    if (edge.kind === 'data' && before !== 'depends') return true;
    if (edge.kind === 'route' && chosen.has(from)) {
      if (chosen.get(from) !== edge.to) continue;
      if (before === 'runs') return true;
    }
    unknown = true;
  }
  return unknown ? null : false;
}

function combine(reached: boolean | null, own: boolean | null): Forecast {
  if (reached === false) return 'not_taken';
  if (reached === null) return 'depends';
  if (own === null) return 'depends';
  return own ? 'runs' : 'skipped';
}

/** The step a choice chooses, null for none, undefined where only the run will tell. */
function chooses(step: Extract<Step, { kind: 'choice' }>, params: JsonObject): string | null | undefined {
  for (const { condition, thenStep } of step.routes) {
    const holds = decide(condition, params);
    if (holds === null) return undefined;
    if (holds) return thenStep;
  }
  return step.elseStep ?? null;
}
