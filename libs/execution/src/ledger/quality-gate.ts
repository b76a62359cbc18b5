import { AnomalyCategory, Severity } from '@spine/core';
import type { QualityOutcome, QualityRunner } from '@spine/core';
import { recordAnomaly, writeQualityResults } from '@spine/database';
import type { PartitionKey } from '@spine/database';
import type { HandlerContext } from '../worker/context.ts';

/** Whose data a gate is about. */
export interface GateScope {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  readonly stage: string;
}

/**
 * Runs every check before a step publishes. What passed is answered and not stored yet: write it together with the rows
 * it speaks of. Where a check failed, those rows will never be, so the results are stored here at once, with an ERROR
 * anomaly and an event `quality_gate_failed` of the run.
 *
 * @throws QualityGateError naming every check that failed.
 * @throws AttemptAbortedError when the attempt no longer holds its run.
 */
export async function checkQualityGate<C>(
  ctx: HandlerContext,
  { domain, partitionKey, stage }: GateScope,
  runner: QualityRunner<C>,
  context: C,
): Promise<readonly QualityOutcome[]> {
  const outcomes = await runner.runAll(context);
  if (!runner.hasFailures()) return outcomes;
  const { runId, correlationId: batchId } = ctx.run;
  const failures = runner.failures();
  const checks = failures.map(({ checkName }) => checkName);
  await ctx.transaction(async (trx) => {
    await writeQualityResults(trx, { domain, partitionKey, stage, runId, batchId }, outcomes);
    await recordAnomaly(trx, {
      domain,
      partitionKey,
      stage,
      severity: Severity.ERROR,
      category: AnomalyCategory.QUALITY_GATE,
      message: failures.map(({ checkName, message }) => `${checkName}: ${message}`).join('; '),
      metadata: { checks },
      runId,
      batchId,
    });
  });
  await ctx.event('quality_gate_failed', { domain, stage, checks });
  runner.gate();
  return outcomes;
}
