import { createSpineClient } from '@spine/sdk';
import { systemClock } from '@spine/core';
import { describe, expect, it } from 'vitest';
import type { ToolContext } from '../tool.ts';
import { findTool, TOOLS, toolsFor } from './toolset.ts';

/** What would reach the API: nothing may. */
const NOWHERE: ToolContext = {
  client: createSpineClient({
    baseUrl: 'http://nowhere.test',
    fetch: () => Promise.reject(new Error('the API was asked')),
    retries: 0,
  }),
  call: { signal: new AbortController().signal },
  clock: systemClock,
  progress: () => undefined,
};

describe('the tools', () => {
  it('have a name each, and say what they do', () => {
    expect(new Set(TOOLS.map(({ name }) => name)).size).toBe(TOOLS.length);
    for (const { name, effect, listed } of TOOLS) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(listed.description).toMatch(/^[A-Z].{20,}\.$/s);
      expect(listed.annotations?.readOnlyHint).toBe(effect === 'reads');
      expect(listed.annotations?.destructiveHint).toBe(effect === 'ends');
      expect(listed.inputSchema['additionalProperties']).toBe(false);
    }
  });

  it('only read, unless writing is allowed', () => {
    const writes = TOOLS.filter(({ effect }) => effect !== 'reads').map(({ name }) => name);
    expect(writes).toContain('run_cancel');
    expect(toolsFor(true)).toEqual(TOOLS);
    expect(toolsFor(false).map(({ name }) => name)).toEqual(
      TOOLS.map(({ name }) => name).filter((name) => !writes.includes(name)),
    );
    for (const name of writes) expect(findTool(name, false)).toEqual({ type: 'read_only' });
    expect(findTool('__proto__', true)).toEqual({ type: 'unknown' });
  });

  it('take their arguments and no others', async () => {
    for (const tool of TOOLS) {
      await expect(tool.run({ surely_not: 1 }, NOWHERE), tool.name).rejects.toMatchObject({
        errors: expect.arrayContaining([expect.objectContaining({ field: 'surely_not' })]) as unknown,
      });
    }
  });

  it('never let an id step out of its path', async () => {
    const withIds = TOOLS.filter(({ listed }) => 'run_id' in (listed.inputSchema.properties ?? {}));
    expect(withIds.length).toBeGreaterThan(8);
    for (const tool of withIds) {
      for (const run_id of ['.', '..', '']) {
        await expect(tool.run({ run_id }, NOWHERE), tool.name).rejects.toMatchObject({
          name: 'ArgumentError',
        });
      }
    }
  });
});
