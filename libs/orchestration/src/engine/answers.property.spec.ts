/** A run goes on whatever a step has answered: no answer makes its plan throw, which would hold the run up for ever. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '@spine/core';
import { defineWorkflow } from '../workflow/define.ts';
import { MODIFICATION_TYPES } from '../workflow/modification.ts';
import { StepResult } from '../workflow/step-result.ts';
import { newWorkflowState, plan } from './plan.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const definition = defineWorkflow({
  name: 'test.answers',
  policy: { mode: 'parallel' },
  steps: [
    { kind: 'lambda', name: 'a', handler: 'f' },
    { kind: 'lambda', name: 'b', handler: 'f', dependsOn: ['a'] },
    { kind: 'lambda', name: 'c', handler: 'f', dependsOn: ['b'] },
  ],
});
const started = plan(definition, newWorkflowState(), { type: 'started', runId: 'r', params: {} }, NOW).state;

const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;
const name = fc.constantFrom<JsonValue>('a', 'b', 'c', 'new', '', 7, null);
const step = fc.oneof(
  json,
  fc.record({ kind: fc.constantFrom('lambda', 'choice', 'map', 'none'), name, handler: name }),
);
const modification = fc.record(
  {
    type: fc.constantFrom(...MODIFICATION_TYPES, 'other'),
    steps: fc.oneof(json, fc.array(name, { maxLength: 2 })),
    before: name,
    after: name,
    step: fc.oneof(name, step),
    name,
    workflow: fc.oneof(name, fc.constant('test.other')),
    params: fc.oneof(json, fc.constant({})),
    keepOutputs: json,
  },
  { requiredKeys: ['type'] },
);
const answer = fc.oneof(
  json,
  fc.record(
    {
      status: fc.constantFrom('ok', 'fail', 'skip'),
      output: fc.oneof(json, fc.constant({})),
      error: json,
      reason: json,
      contextUpdates: fc.oneof(json, fc.constant({})),
      nextStep: name,
      quality: json,
      modifications: fc.oneof(json, fc.array(modification, { maxLength: 3 })),
    },
    { requiredKeys: ['status', 'output'] },
  ),
) as fc.Arbitrary<JsonValue>;

describe('an answer of a step', () => {
  it('settles it, whatever it is', () => {
    fc.assert(
      fc.property(answer, (value) => {
        const result = StepResult.fromValue(value);
        const planned = plan(
          definition,
          started,
          { type: 'step_settled', unit: 'a', attempt: 1, result },
          NOW,
        );
        expect(planned.ignored).toBeNull();
        expect(planned.state.steps.get('a')?.status).not.toBe('running');
      }),
      { numRuns: 500 },
    );
  });
});
