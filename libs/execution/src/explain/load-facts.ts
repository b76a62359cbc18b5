/** Everything an explanation needs, as it stood at one moment. */
import {
  asQueryable,
  explainedRun,
  getBreaker,
  laneState,
  lastHoldUp,
  lineDetails,
  loadGateFacts,
  servingWorkers,
} from '@spine/database';
import type { BreakerRecord, Db, Gate, Queryable } from '@spine/database';
import { gatesOfRun } from '../gates/resolve-gates.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import type { ExplainFacts } from './wait-reason.ts';

/** Null for a run that does not exist. */
export function loadExplainFacts(
  db: Db,
  registry: HandlerRegistry,
  runId: string,
): Promise<ExplainFacts | null> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute((trx) => load(asQueryable(trx), registry, runId));
}

async function load(on: Queryable, registry: HandlerRegistry, runId: string): Promise<ExplainFacts | null> {
  const run = await explainedRun(on, runId);
  if (run === null) return null;
  const { kind, name, lane, params } = run;
  const handlerGates = registry.get(kind, name)?.gates ?? null;
  const gates = gatesOfRun(run.gates, handlerGates, { kind, name, lane, params });
  return {
    run,
    gates,
    lane: await laneState(on, lane),
    holdUp: await lastHoldUp(on, runId),
    serving: await servingWorkers(on, run),
    facts: await loadGateFacts(on, gates ?? []),
    lines: await lineDetails(on, gates ?? [], run),
    breakers: await breakersOf(on, gates ?? []),
  };
}

async function breakersOf(on: Queryable, gates: readonly Gate[]): Promise<Map<string, BreakerRecord>> {
  const breakers = new Map<string, BreakerRecord>();
  for (const { type, key } of gates) {
    if (type !== 'breaker') continue;
    const breaker = await getBreaker(on, key);
    if (breaker !== null) breakers.set(key, breaker);
  }
  return breakers;
}
