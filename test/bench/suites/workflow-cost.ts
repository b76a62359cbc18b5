/** What an advance costs of a workflow that has finished few steps, and of one that has finished ten thousand. */
import { Kysely, PostgresDialect } from 'kysely';
import { newId } from '@spine/core';
import { claimRuns, createPool, settleRuns } from '@spine/database';
import type { Database, Pool } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import { advanceRun, DefinitionVersions, signalWorkflow } from '@spine/orchestration';
import type { AdvanceServices, Step, WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { openLab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { number } from '../report.ts';
import { median } from '../statistics.ts';
import { openWorkflowBench } from '../workflows/bed.ts';
import type { WorkflowBench } from '../workflows/bed.ts';
import type { Suite, SuiteContext } from './suite.ts';

const FEW = 10;
const SHARE = 2;
/** Steps that follow one another once all others are finished; each costs one advance. */
const MEASURED = 40;
const TARGET = 1.5;

/** So many steps side by side, and a chain that begins with a signal. */
function workflowOf(finished: number): WorkflowInput {
  const step = (name: string, dependsOn: readonly string[]): Step => ({
    kind: 'lambda',
    name,
    handler: 'work',
    dependsOn,
    params: { n: '{{ params.n }}' },
  });
  return {
    name: `bench.cost_${finished}`,
    policy: { mode: 'parallel', maxConcurrency: 500 },
    steps: [
      ...Array.from({ length: finished }, (_, index) => step(`done_${index}`, [])),
      { kind: 'wait', name: 'go', wait: { signal: 'go' } },
      ...Array.from({ length: MEASURED }, (_, index) =>
        step(`chain_${index}`, [index === 0 ? 'go' : `chain_${index - 1}`]),
      ),
    ],
    outputs: {},
  };
}

/** What one advance has cost. */
interface Cost {
  readonly statements: number;
  /** Read and written. */
  readonly rows: number;
  readonly ms: number;
}

/** The services of an advance, with every statement counted. */
function counting(engine: WorkflowBench['engine'], pool: Pool) {
  const count = { statements: 0, rows: 0 };
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool }),
    log: () => void (count.statements += 1),
    plugins: [
      {
        transformQuery: ({ node }) => node,
        transformResult: ({ result }) => {
          count.rows += result.rows.length;
          return Promise.resolve(result);
        },
      },
    ],
  });
  const services: AdvanceServices = { ...engine, db, definitions: new DefinitionVersions() };
  return { count, services };
}

/** Completes the one step that waits: the suite is its worker. */
async function settleNext({ pool }: WorkflowBench['engine'], admin: Pool, runId: string): Promise<void> {
  const { rows } = await admin.query<{ id: string }>(
    'SELECT id FROM runs WHERE parent_run_id = $1 AND completed_at IS NULL',
    [runId],
  );
  const options = { workerId: newId(), leaseMs: 30_000, handlers: ['step:lambda.work'] };
  const claimed = await claimRuns(
    pool,
    rows.map(({ id }) => id),
    options,
  );
  const [step, ...others] = claimed;
  if (step === undefined || others.length > 0) {
    throw new VoidMeasurementError(`one step should wait, ${claimed.length} do`);
  }
  const settlement = { type: 'completed', result: '{"n": 1}' } as const;
  await settleRuns(pool, [{ runId: step.runId, epoch: step.epoch, settlement }], { source: 'bench' });
}

/** A run whose first steps are finished and whose chain has begun. Nobody advances it any more. */
async function chainedRun(bench: WorkflowBench, admin: Pool, finished: number): Promise<string> {
  const { engine } = bench;
  const both = await bench.startWorker(500);
  const outcome = await engine.dispatcher.submit(workflowSpec(workflowOf(finished).name, { n: 0 }));
  if (outcome.type !== 'accepted') {
    throw new VoidMeasurementError(`the workflow was not accepted: ${outcome.type}`);
  }
  const { runId } = outcome;
  await waitFor(
    async () => {
      const { rows } = await admin.query<{ n: number }>(
        `SELECT count(*) AS n FROM workflow_state WHERE run_id = $1 AND value->>'status' = 'completed'`,
        [runId],
      );
      return rows[0]?.n === finished;
    },
    { timeoutMs: 600_000, intervalMs: 250, message: `${finished} steps to be finished` },
  );
  await both.stop();
  return runId;
}

/** The end of one step told, the next one started. */
async function costOfAdvance(
  { engine }: WorkflowBench,
  admin: Pool,
  runId: string,
  { services, count }: ReturnType<typeof counting>,
): Promise<Cost> {
  await settleNext(engine, admin, runId);
  Object.assign(count, { statements: 0, rows: 0 });
  const from = performance.now();
  const advanced = await advanceRun(services, runId);
  const ms = performance.now() - from;
  if (advanced.type !== 'advanced') throw new VoidMeasurementError(`an advance came to ${advanced.type}`);
  return { ...count, ms };
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const many = Math.max(FEW + 1, Math.ceil(options.jobs / SHARE));
  const lab = await openLab();
  let bench: WorkflowBench | null = null;
  const pool = createPool({ connectionString: lab.databaseUrl, max: 1 });
  try {
    bench = await openWorkflowBench(lab, 'cost', {
      onCall: () => undefined,
      workflows: [workflowOf(FEW), workflowOf(many)],
    });
    const counted = counting(bench.engine, pool);
    const costs: { readonly finished: number; readonly runId: string; readonly all: Cost[] }[] = [];
    for (const finished of [FEW, many]) {
      say(`  ${number(finished)} steps to be finished`);
      costs.push({ finished, runId: await chainedRun(bench, lab.admin, finished), all: [] });
    }
    await lab.admin.query('VACUUM ANALYZE');
    for (const { runId } of costs) {
      await signalWorkflow(bench.engine.db, runId, 'go', {});
      await advanceRun(counted.services, runId);
    }
    // In turns: what the machine does meanwhile is the same for both.
    for (let step = 1; step < MEASURED; step += 1) {
      for (const { runId, all } of costs) all.push(await costOfAdvance(bench, lab.admin, runId, counted));
    }
    const middle = (all: readonly Cost[], of: keyof Cost): number => median(all.map((cost) => cost[of]));
    const [few, lots] = costs;
    if (few === undefined || lots === undefined) throw new VoidMeasurementError('nothing was measured');
    const ratio = (of: keyof Cost): number => middle(lots.all, of) / middle(few.all, of);
    return {
      suite: 'workflow-cost',
      title: `An advance after ${FEW} and after ${number(many)} finished steps`,
      tables: [
        {
          columns: ['finished steps', 'statements', 'rows', 'ms, median'],
          rows: costs.map(({ finished, all }) => [
            number(finished),
            number(middle(all, 'statements')),
            number(middle(all, 'rows')),
            number(middle(all, 'ms')),
          ]),
        },
      ],
      figures: (['statements', 'rows', 'ms'] as const).map((of) => ({
        name: `${of} after ${number(many)} against after ${FEW}`,
        value: ratio(of),
        unit: 'x',
        target: { at: 'most', value: of === 'ms' ? TARGET : 1 },
      })),
      notes: [
        `Each advance hears of one step that has completed and starts the next one, alone on its connection; ${MEASURED - 1} of them each, in turns. ` +
          'Rows are those that statements answered with.',
      ],
    };
  } finally {
    await pool.end();
    await bench?.close();
    await lab.close();
  }
}

export const workflowCostSuite: Suite = {
  name: 'workflow-cost',
  about: 'statements, rows and time of an advance after few and after 10,000 finished steps',
  run,
};
