import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { present } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { defineWorkflow, findWorkflowIssues } from '../../workflow/define.ts';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import { runInMemory } from '../run/run.ts';
import { StubRunnable } from '../testing/executors.ts';
import { dryRun } from './dry-run.ts';
import type { Forecast } from './forecast.ts';

const SIZE = 7;
const name = (at: number): string => `s${at}`;
const flag = fc.constantFrom('params.yes', 'params.no', 'params.unknown');
const optional = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(each, { nil: undefined });

const workflows: fc.Arbitrary<WorkflowInput> = fc
  .record({
    mode: fc.constantFrom('parallel' as const, 'sequential' as const),
    steps: fc.array(
      fc.record({
        choice: fc.boolean(),
        when: optional(flag),
        conditions: fc.array(flag, { minLength: 1, maxLength: 2 }),
        targets: fc.array(fc.integer({ min: 1, max: SIZE }), { minLength: 3, maxLength: 3 }),
        otherwise: fc.boolean(),
        back: fc.array(fc.integer({ min: 1, max: SIZE }), { maxLength: 2 }),
      }),
      { minLength: 2, maxLength: SIZE },
    ),
  })
  .map(({ mode, steps }) => ({
    name: 'any',
    policy: { mode },
    steps: steps.map(({ choice, when, conditions, targets, otherwise, back }, at): Step => {
      const common = present({
        name: name(at),
        when,
        dependsOn: back.filter((distance) => distance <= at).map((distance) => name(at - distance)),
      });
      const later = targets.map((ahead) => at + ahead).filter((target) => target < steps.length);
      const routes = conditions.flatMap((condition, place) => {
        const target = later[place];
        return target === undefined ? [] : [{ condition, thenStep: name(target) }];
      });
      if (!choice || routes.length === 0) return { ...common, kind: 'lambda', handler: 'f' };
      const last = later[2];
      const elseStep = otherwise && last !== undefined ? name(last) : undefined;
      return present({ ...common, kind: 'choice' as const, routes, elseStep });
    }),
  }))
  .filter((workflow) => findWorkflowIssues(workflow).length === 0);

const HAPPENS: Readonly<Record<Exclude<Forecast, 'depends'>, string>> = {
  runs: 'completed',
  skipped: 'skipped',
  not_taken: 'not_taken',
};

describe('the forecast of a dry run', () => {
  it('is what the run does, where it says so', async () => {
    await fc.assert(
      fc.asyncProperty(workflows, fc.boolean(), async (workflow, known) => {
        const given: JsonObject = { yes: true, no: false, ...(known ? { unknown: true } : {}) };
        const { steps } = dryRun(workflow, { params: given });
        const run = await runInMemory(defineWorkflow(workflow), {
          executor: new StubRunnable(),
          params: { ...given, unknown: true },
        });
        expect(run.status).toBe('completed');
        const statuses = new Map(run.steps.map((step) => [step.name, step.status]));
        for (const { name: step, forecast } of steps) {
          if (known) expect(forecast).not.toBe('depends');
          if (forecast !== 'depends') expect([step, statuses.get(step)]).toEqual([step, HAPPENS[forecast]]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
