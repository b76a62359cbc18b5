import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonProblems, isStorableText, present } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { defineWorkflow } from '../../workflow/define.ts';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import { parseWorkflowYaml, stringifyWorkflowYaml } from './document.ts';

/** Texts that YAML is known to take for something else, and any other. */
const text = fc.oneof(
  fc.constantFrom(
    'yes',
    'null',
    '~',
    '1e3',
    '0x1F',
    '2020-01-01',
    '- a',
    'a: b',
    '#',
    '*x',
    '&y',
    '!z',
    '|',
    '',
    ' ',
    'a\n\nb ',
    '\t',
    '{{ x',
    '"',
    "'",
    '\u2028',
    '😀',
    '<<',
  ),
  fc.string({ unit: 'binary', maxLength: 30 }).filter(isStorableText),
);
const json: fc.Arbitrary<JsonValue> = fc
  .letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      text,
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(text, tie('value'), { maxKeys: 3 }),
    ),
  }))
  .value.filter((value) => findJsonProblems(value).length === 0 && !JSON.stringify(value).includes('{{'));
const params: fc.Arbitrary<JsonObject> = fc
  .dictionary(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 8 }), json, { maxKeys: 3 })
  .filter((value) => findJsonProblems(value).length === 0 && !JSON.stringify(value).includes('{{'));
const optional = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(each, { nil: undefined });
const seconds = fc.integer({ min: 1, max: 86_400 });

const kinds = fc.oneof(
  fc.record({
    kind: fc.constant('operation' as const),
    handler: fc.constant('a.b'),
    params: optional(params),
    timeoutSeconds: optional(seconds),
  }),
  fc.record({
    kind: fc.constant('lambda' as const),
    handler: fc.constant('f'),
    retry: optional(
      fc.constant({
        strategy: 'linear' as const,
        maxRetries: 2,
        rules: [{ category: 'NETWORK' as const, retry: true }],
      }),
    ),
  }),
  fc.record({
    kind: fc.constant('wait' as const),
    wait: fc.oneof(
      fc.record({ durationSeconds: seconds }),
      fc.record({ until: fc.constant('2025-12-26T00:00:00Z') }),
      fc.record({ signal: fc.constant('go'), timeoutSeconds: seconds }),
    ),
  }),
  fc.record({
    kind: fc.constant('map' as const),
    items: fc.oneof(fc.constant('params.rows'), fc.array(json, { maxLength: 3 })),
    iterator: fc.constant([
      { name: 'each', kind: 'lambda' as const, handler: 'g', params: { row: '{{ item }}' } },
    ]),
    toleratedFailures: optional(fc.constantFrom('all' as const, 0, 3)),
    maxConcurrency: optional(fc.integer({ min: 1, max: 50 })),
  }),
  fc.record({
    kind: fc.constant('workflow' as const),
    workflow: fc.constant('child'),
    wait: optional(fc.boolean()),
    params: optional(params),
  }),
  fc.record({
    kind: fc.constant('approval' as const),
    approvers: fc.array(fc.constantFrom('risk', 'ops'), { maxLength: 2 }),
    message: optional(text),
    contextFields: optional(params),
  }),
);

const workflows = fc
  .record({
    bodies: fc.array(
      fc.record({
        body: kinds,
        back: optional(fc.nat({ max: 5 })),
        when: optional(fc.constant('params.go == true')),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    mode: fc.constantFrom('parallel' as const, 'sequential' as const),
    description: optional(text),
    defaults: optional(params),
    tags: optional(fc.constant(['daily'])),
    maxRuns: optional(fc.integer({ min: 1, max: 9 })),
  })
  .map(({ bodies, mode, description, defaults, tags, maxRuns }): WorkflowInput => {
    const steps = bodies.map(({ body, back, when }, at): Step => {
      const dependsOn = back === undefined || at === 0 ? undefined : [`s${Math.max(0, at - 1 - back)}`];
      return present({ ...present(body), name: `s${at}`, dependsOn, when });
    });
    const concurrency = maxRuns === undefined ? undefined : { maxRuns };
    return present({
      name: 'any.workflow',
      description,
      defaults,
      tags,
      steps,
      policy: { mode },
      concurrency,
    });
  });

describe('a definition', () => {
  it('comes back from YAML as it was, hash included', () => {
    fc.assert(
      fc.property(workflows, optional(fc.integer({ min: 1, max: 99 })), (input, version) => {
        const definition = defineWorkflow(input);
        const back = parseWorkflowYaml(stringifyWorkflowYaml(definition, version));
        expect(back).toEqual({ definition, version: version ?? null });
      }),
      { numRuns: 100 },
    );
  });

  it('is written in the order in which people read', () => {
    const yaml = stringifyWorkflowYaml({
      name: 'w',
      steps: [{ kind: 'operation', name: 'a', handler: 'x.y', params: { n: 1 } }],
      tags: ['t'],
    });
    expect(yaml).toBe(
      'apiVersion: spine.io/v1\nkind: Workflow\nmetadata:\n  name: w\n  tags:\n    - t\nspec:\n  steps:\n    - name: a\n      kind: operation\n      handler: x.y\n      params:\n        n: 1\n',
    );
  });
});
