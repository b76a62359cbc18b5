/**
 * Random workflows, by workers over Postgres and in memory: the same planner must come to the same end, by the same events.
 *
 * SPINE_WORKFLOW_SEED: other workflows.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { defineWorkflow, InMemoryWorkflows, StepResult } from '@spine/orchestration';
import type { Step, WorkflowEvent, WorkflowInput } from '@spine/orchestration';
import { noLeftovers, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const WORKFLOWS = 20;
const SEED = Number(process.env['SPINE_WORKFLOW_SEED'] ?? 1);
const RETRY = { strategy: 'constant', maxRetries: 2, baseDelaySeconds: 0, jitter: false } as const;

/** How often an attempt of the step fails before one succeeds: 3 is more than its retries allow. */
const step = fc.record({
  kind: fc.constantFrom('lambda', 'lambda', 'map', 'choice', 'wait'),
  failures: fc.constantFrom(0, 0, 0, 1, 3),
  dependsOn: fc.array(fc.nat(), { maxLength: 3 }),
  items: fc.nat({ max: 4 }),
});

const shape = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 9 }),
  mode: fc.constantFrom('sequential', 'parallel'),
  maxConcurrency: fc.constantFrom(1, 2, 5),
});

function workflowOf(
  index: number,
  { steps, mode, maxConcurrency }: typeof shape extends fc.Arbitrary<infer T> ? T : never,
): WorkflowInput {
  return {
    name: `random.w${index}`,
    // Failures do not stop the run: else it would depend on chance what had begun by then.
    policy: { mode, maxConcurrency, onError: 'continue' },
    steps: steps.map(({ kind, failures, dependsOn, items }, at): Step => {
      const base = {
        name: `s${at}`,
        dependsOn: at === 0 ? [] : [...new Set(dependsOn.map((n) => `s${n % at}`))],
      };
      switch (kind) {
        case 'lambda':
        case 'choice':
          return {
            ...base,
            kind: 'lambda',
            handler: 'work',
            retry: RETRY,
            params: { unit: base.name, failures },
          };
        case 'wait':
          return { ...base, kind: 'wait', wait: { durationSeconds: 0 } };
        case 'map':
          return {
            ...base,
            kind: 'map',
            items: Array.from({ length: items }, (_, item) => item),
            maxConcurrency: 2,
            toleratedFailures: 'all',
            iterator: [
              {
                kind: 'lambda',
                name: 'work',
                handler: 'work',
                retry: RETRY,
                params: { unit: `${base.name}[{{ index }}]`, failures },
              },
            ],
          };
      }
    }),
  };
}

const workflows = fc
  .sample(shape, { seed: SEED, numRuns: WORKFLOWS })
  .map((made, index) => workflowOf(index, made));

/** Fails as often as its params say, then answers. @param attempt of the unit. */
function work(params: JsonObject, attempt: number): StepResult {
  return attempt <= Number(params['failures'])
    ? StepResult.fail(`attempt ${attempt} of ${String(params['unit'])}`, { category: 'NETWORK' })
    : StepResult.ok({ unit: params['unit'] ?? null, attempt });
}

let bed: WorkflowBed;
beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: { work: (params, { run }) => work(params, Number(run.metadata['step_attempt'])) },
    workflows,
  });
  await bed.begin();
});
afterAll(() => bed.close());

/** What an event says, whichever driver has sent it. */
function essenceOf(event: WorkflowEvent): string {
  if (event.type === 'timer_fired') return event.timer;
  if (event.type === 'step_settled') return canonicalJson([event.unit, event.attempt, event.result]);
  return event.type === 'map_item_settled'
    ? canonicalJson([`${event.step}[${event.index}]`, event.attempt, event.result])
    : event.type;
}

const sorted = (events: readonly WorkflowEvent[]): string[] => events.map(essenceOf).sort();

async function durable(runId: string) {
  const { status, result } = await bed.engine.dispatcher.wait(runId, { timeoutMs: 30_000 });
  const { rows } = await bed.admin.query<{ event: WorkflowEvent }>(
    'SELECT event FROM workflow_history WHERE run_id = $1',
    [runId],
  );
  const { rows: steps } = await bed.admin.query<{ key: string; status: string; attempt: number }>(
    `SELECT key, value->>'status' AS status, (value->>'attempt')::int AS attempt FROM workflow_state
     WHERE run_id = $1 ORDER BY key COLLATE "C"`,
    [runId],
  );
  return { status, result, events: sorted(rows.map(({ event }) => event)), steps };
}

async function inMemory(input: WorkflowInput) {
  const engine = new InMemoryWorkflows({
    executor: { run: (_, params, { command }) => work(params, command.attempt) },
  });
  const runId = engine.start(defineWorkflow(input));
  const { status, outputs } = await engine.toEnd(runId);
  const state = engine.state(runId);
  const steps = [...state.steps.entries(), ...state.items.entries()]
    .map(([key, record]) => ({ key, status: record.status, attempt: record.attempt }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const events = sorted(engine.trace.filter(({ ignored }) => ignored === null).map(({ event }) => event));
  return { status, result: outputs, events, steps };
}

describe('a workflow over Postgres', () => {
  it('ends as it does in memory, by the same events', { timeout: 60_000 }, async () => {
    const runIds = await Promise.all(workflows.map(({ name }) => bed.start(name)));
    for (const [index, input] of workflows.entries()) {
      expect(await durable(runIds[index] ?? ''), JSON.stringify(input)).toEqual(await inMemory(input));
    }
    await noLeftovers(bed.admin);
  });
});
