import { describe, expect, it } from 'vitest';
import type { Command } from '../engine/command.ts';
import { effectsOf, refusedEvent } from './effects.ts';

const OF = {
  runId: '01890000-0000-7000-8000-000000000001',
  name: 'test.flow',
  environment: 'dev',
  run: {
    status: 'running',
    epoch: 2,
    lane: 'slow',
    priority: 1,
    correlationId: null,
    parentRunId: null,
    deadLetter: true,
    namespace: null,
    traceContext: null,
  },
} as const;

const START: Command = {
  type: 'start_step',
  id: 'start:a#1',
  unit: 'a',
  step: 'a',
  attempt: 1,
  call: { kind: 'lambda', handler: 'add' },
  params: { n: 1 },
  timeoutSeconds: 5,
};

describe('the effects of commands', () => {
  it('start runs in the lane, priority and correlation of the workflow', () => {
    const [start] = effectsOf([START], OF).starts;
    expect(start).toMatchObject({
      work: { unit: 'a', attempt: 1, kind: 'step' },
      spec: {
        kind: 'step',
        name: 'lambda.add',
        parentRunId: OF.runId,
        correlationId: OF.runId,
        lane: 'slow',
        priority: 'high',
        timeoutSeconds: 5,
        deadLetter: false,
        // Only a lost worker has it made again by the run engine.
        retry: { strategy: 'none' },
      },
      inherited: null,
    });
  });

  it('keep what a child inherits, and have somebody look at one that nobody waits for', () => {
    const child: Command = {
      type: 'start_child',
      id: 'child:a#1',
      unit: 'a',
      attempt: 1,
      workflow: 'test.child',
      params: {},
      context: { tenant: 'x' },
      ancestors: ['test.flow'],
      wait: false,
    };
    const [detached, awaited] = effectsOf([child, { ...child, unit: 'b', wait: true }], OF).starts;
    expect(detached).toMatchObject({
      work: { kind: 'detached' },
      spec: { kind: 'workflow', deadLetter: true },
      inherited: { context: { tenant: 'x' }, ancestors: ['test.flow'], environment: 'dev' },
    });
    expect(awaited).toMatchObject({ work: { kind: 'child' }, spec: { deadLetter: false } });
  });

  it('leave of a timer what was said last', () => {
    const at = new Date('2026-01-01T00:00:00Z');
    const set = (timer: string): Command => ({ type: 'set_timer', id: `set:${timer}`, timer, at });
    const clear = (timer: string): Command => ({ type: 'clear_timer', id: `clear:${timer}`, timer });
    const effects = effectsOf([set('a'), set('b'), clear('a'), clear('c')], OF);
    expect(effects.timers).toEqual([{ timer: 'b', at }]);
    expect(effects.cleared).toEqual(['a', 'c']);
  });
});

describe('work whose run is refused', () => {
  const issues = [{ field: 'params.n', code: 'invalid_type', message: 'expected a number' }];

  it.each([
    ['a', 'step', { type: 'step_settled', unit: 'a', attempt: 1 }],
    ['a[3]', 'item', { type: 'map_item_settled', step: 'a', index: 3, attempt: 1 }],
    ['a', 'child', { type: 'child_settled', unit: 'a', attempt: 1, status: 'failed' }],
  ] as const)('has failed: %s as a %s', (unit, kind, expected) => {
    const event = refusedEvent({ unit, attempt: 1, kind }, issues);
    expect(event).toMatchObject(expected);
    expect(JSON.stringify(event)).toContain('params.n: expected a number');
  });
});
