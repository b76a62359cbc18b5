import { describe, expect, it } from 'vitest';
import { MODIFICATION_TYPES } from './modification.ts';
import type { Modification } from './modification.ts';
import { modificationFromJson, modificationJson, modificationToJson } from './modification-json.ts';
import type { Step } from './model.ts';

const step: Step = {
  kind: 'map',
  name: 'each',
  items: [1],
  dependsOn: ['load'],
  maxConcurrency: 2,
  iterator: [{ kind: 'lambda', name: 'one', handler: 'x', timeoutSeconds: 5 }],
};

const all: Record<Modification['type'], Modification> = {
  skip_steps: { type: 'skip_steps', steps: ['a', 'b'] },
  insert_step_before: { type: 'insert_step_before', before: 'b', step },
  insert_step_after: { type: 'insert_step_after', after: 'a', step },
  replace_step: { type: 'replace_step', step },
  retry_step: { type: 'retry_step', step: 'a', params: { n: 1 } },
  spawn_workflow: { type: 'spawn_workflow', name: 'more', workflow: 'x.y', params: { n: 1 } },
  continue_as_new: { type: 'continue_as_new', params: {}, keepOutputs: true },
};

describe('a modification', () => {
  it.each(MODIFICATION_TYPES)('is the same after it was JSON: %s', (type) => {
    const json: unknown = JSON.parse(JSON.stringify(modificationToJson(all[type])));
    expect(modificationFromJson(modificationJson.parse(json))).toEqual(all[type]);
  });

  it.each([
    [{ type: 'drop_table' }],
    [{ type: 'skip_steps', steps: [] }],
    [{ type: 'skip_steps', steps: ['a'], more: 1 }],
    [{ type: 'replace_step', step: { kind: 'lambda', name: '__proto__', handler: 'x' } }],
    [{ type: 'retry_step' }],
    [{ type: 'spawn_workflow', name: 'x', workflow: '../x' }],
  ])('is refused where it is none: %j', (json) => {
    expect(modificationJson.safeParse(json).success).toBe(false);
  });
});
