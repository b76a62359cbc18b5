/**
 * The way every calculation goes.
 *
 * 1. One run at a time calculates a partition: its lock is taken first, and held to the end of the transaction.
 * 2. What is calculated is decided by the inputs alone (captures and versions). Their hash stands in the manifest; where it
 *    stands there already the step is skipped, unless it is forced, and answers what was answered then.
 * 3. Rows, stage, rejects, check results, anomalies, the asset's materialization and the settlement of the run commit
 *    together, or none of them does.
 * 4. A check that fails keeps every row out: what the checks found and an anomaly are stored on their own, and
 *    the run fails for good.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, hashJson, QualityRunner } from '@spine/core';
import type { AnomalyCategory, QualityCheck, Severity } from '@spine/core';
import { manifestOf } from '@spine/database';
import type { ColumnValue, DbTransaction, ManifestRow, PartitionKey } from '@spine/database';
import { checkQualityGate } from '@spine/execution';
import type { HandlerContext, Publication } from '@spine/execution';
import { CALCS } from '../calcs/registry.ts';
import type { CalcName } from '../calcs/registry.ts';
import type { CalcVersion, ResolvedVersion } from '../calcs/calc-versions.ts';
import { STAGES } from '../stages.ts';
import type { StageName } from '../stages.ts';
import { lockPartition } from '../tables/captures.ts';
import { assetOf, captureUpstreams } from '../tables/lineage.ts';
import { DOMAIN } from '../vocabulary.ts';

/** What a calculation reads, found before it is decided whether it has to run. */
export interface StepInputs {
  readonly partitionKey: PartitionKey;
  /** The captures it is made from. */
  readonly captureIds: readonly string[];
  /** Everything that decides what comes out, beside the version of the calculation. */
  readonly identity: Readonly<Record<string, unknown>>;
}

/** What a calculation has made. Nothing of it is written yet. */
export interface Calculated<C> {
  /** The rows of the main table, in a fixed order. */
  readonly rows: readonly Readonly<Record<string, ColumnValue>>[];
  /** Counts and totals, for the result and the manifest. */
  readonly metrics: Readonly<Record<string, unknown>>;
  /** What the checks look at. */
  readonly checked: C;
  /** Writes rows and rejects. */
  readonly write: (publication: Publication) => Promise<unknown>;
}

export interface Step<I extends StepInputs, C> {
  readonly calc: CalcName;
  readonly stage: StageName;
  readonly calcVersion: string | undefined;
  readonly force: boolean;
  /** Names what only one run at a time calculates. */
  readonly lock: string;
  /** @throws MissingInputError naming what to run first. */
  readonly inputs: (trx: DbTransaction, version: CalcVersion) => Promise<I>;
  readonly calculate: (trx: DbTransaction, inputs: I, version: CalcVersion) => Promise<Calculated<C>>;
  readonly checks: readonly QualityCheck<C>[];
}

/** What every operation answers, beside counts of its own: the same whether it has calculated or found it done. */
export type StepResult = Readonly<Record<string, unknown>> & {
  readonly calc: CalcName;
  readonly calc_version: CalcVersion;
  readonly stage: StageName;
  readonly partition: PartitionKey;
  readonly rows: number;
  /** SHA-256 over the rows without their audit columns: the same inputs and version give the same digest. */
  readonly output_digest: string;
  /** Of this run: what the checks of the one that calculated warned of stands with its results. */
  readonly warnings: readonly string[];
} & (
    | {
        readonly skipped: true;
        /** Which run has done it. */
        readonly reason: string;
      }
    | { readonly skipped: false }
  );

/** What says when and by whom, not what. */
const AUDIT_COLUMNS: ReadonlySet<string> = new Set(['run_id', 'captured_at']);

/** SHA-256 over what rows say, in their order, whatever run wrote them: a line of canonical JSON each. */
export function digestOf(rows: readonly object[]): string {
  // Row by row: as one text, a large partition would not fit into a string.
  const hash = createHash('sha256');
  for (const row of rows) {
    const said = Object.entries(row).filter(([name]) => !AUDIT_COLUMNS.has(name));
    hash.update(`${canonicalJson(Object.fromEntries(said))}\n`);
  }
  return hash.digest('hex');
}

/**
 * Runs one calculation.
 * @throws MissingInputError, ValidationError for an unknown version, QualityGateError; nothing but check results and
 * anomalies is stored then.
 */
export async function runStep<I extends StepInputs, C>(ctx: HandlerContext, step: Step<I, C>) {
  const version = CALCS.resolve(step.calc, step.calcVersion ?? null);
  if (version.deprecation !== null) ctx.log.warn({ calc: step.calc, ...version }, 'deprecated calculation');
  return ctx.publish((publication) => calculateIn(ctx, publication, step, version));
}

async function calculateIn<I extends StepInputs, C>(
  ctx: HandlerContext,
  publication: Publication,
  step: Step<I, C>,
  { version, deprecation }: ResolvedVersion,
): Promise<StepResult> {
  const { calc, stage } = step;
  await lockPartition(publication.trx, step.lock);
  const inputs = await step.inputs(publication.trx, version);
  const { partitionKey } = inputs;
  const inputs_hash = hashJson({ calc, calc_version: version, ...inputs.identity });
  const common = { calc, calc_version: version, stage, partition: partitionKey } as const;
  const warnings = deprecation === null ? [] : [deprecation];
  const done = (await manifestOf(publication.trx, DOMAIN, partitionKey)).find((row) => row.stage === stage);
  if (!step.force && done?.metrics['inputs_hash'] === inputs_hash) {
    const reason = `${stage} was reached with the same inputs by run ${done.runId}; force: true calculates again`;
    return { ...answerOf(done), ...common, skipped: true, reason, warnings };
  }

  const calculated = await step.calculate(publication.trx, inputs, version);
  const runner = new QualityRunner<C>();
  for (const check of step.checks) runner.add(check);
  const gate = { domain: DOMAIN, partitionKey, stage };
  const outcomes = await checkQualityGate(ctx, gate, runner, calculated.checked);

  const output_digest = digestOf(calculated.rows);
  await calculated.write(publication);
  await publication.quality(gate, outcomes);
  for (const { checkName, message, status } of outcomes) {
    if (status !== 'WARN') continue;
    warnings.push(`${checkName}: ${message}`);
    await publication.anomaly({
      ...anomalyOf(stage, partitionKey, 'WARN', 'DATA_QUALITY'),
      message: `${checkName}: ${message}`,
    });
  }
  if (deprecation !== null) {
    await publication.anomaly({
      ...anomalyOf(stage, partitionKey, 'WARN', 'CONFIGURATION'),
      message: deprecation,
      metadata: { calc, calc_version: version },
    });
  }
  const rows = calculated.rows.length;
  await publication.stage({
    domain: DOMAIN,
    partitionKey,
    stage,
    stageRank: STAGES.rankOf(stage),
    rowCount: rows,
    metrics: { ...inputs.identity, ...calculated.metrics, calc_version: version, inputs_hash, output_digest },
  });
  await publication.materialize({
    assetKey: assetOf(calc),
    domain: DOMAIN,
    partitionKey,
    codeVersion: version,
    dataVersion: output_digest,
    rowCount: rows,
    upstreams: await captureUpstreams(publication.trx, inputs.captureIds),
  });
  return {
    ...inputs.identity,
    ...calculated.metrics,
    ...common,
    skipped: false,
    rows,
    output_digest,
    warnings,
  };
}

/** What the run that did it has answered, as its manifest row keeps it: what follows can go by it either way. */
function answerOf({ metrics, rowCount }: ManifestRow) {
  const { inputs_hash: _hash, calc_version: _version, output_digest, ...answered } = metrics;
  return { ...answered, rows: rowCount ?? 0, output_digest: String(output_digest) };
}

function anomalyOf(
  stage: StageName,
  partitionKey: PartitionKey,
  severity: Severity,
  category: AnomalyCategory,
) {
  return { domain: DOMAIN, stage, partitionKey, severity, category };
}
