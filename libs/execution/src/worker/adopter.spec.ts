import { describe, expect, it } from 'vitest';
import { PRIORITIES } from '@spine/core';
import { Metrics, silentLogger } from '@spine/observability';
import { newRun } from '../spec/new-run.ts';
import { taskSpec } from '../spec/work-spec.ts';
import { Adopter } from './adopter.ts';
import type { AdopterOptions } from './adopter.ts';
import { LocalWorkers } from './local-workers.ts';
import { Slots } from './slots.ts';

function adopterOf(options: Partial<AdopterOptions> = {}): Adopter {
  const adopter = new Adopter({
    workerId: 'one',
    leaseMs: 1_000,
    lanes: ['default'],
    handlers: ['task:noop'],
    slots: new Slots(4),
    leases: { lapsed: () => false },
    runner: { execute: () => Promise.resolve({ outcome: 'completed', error: null, fault: null }) },
    exchange: { held: () => Promise.resolve([]), findHeld: () => Promise.resolve([]) },
    pausedLanes: { has: () => false },
    waits: () => false,
    logger: silentLogger(),
    metrics: new Metrics('test'),
    ...options,
  });
  adopter.start();
  return adopter;
}

const run = (more = {}) => newRun(taskSpec('noop', {}, more), {});

describe('a run that is submitted', () => {
  it.each(PRIORITIES)('starts at once at normal priority and above: %s', (priority) => {
    const starts = ['realtime', 'high', 'normal'].includes(priority);
    expect(adopterOf().adoptSubmitted(run({ priority })) !== null).toBe(starts);
  });

  it('comes after hints of its lane that wait for slots', () => {
    const adopter = adopterOf({ lanes: ['default', 'other'], waits: (lane) => lane === 'default' });
    expect(adopter.adoptSubmitted(run())).toBeNull();
    expect(adopter.adoptSubmitted(run({ lane: 'other' }))).not.toBeNull();
  });

  it('does not start at once where that is switched off; steps of workflows do', () => {
    const adopter = adopterOf({ eagerStart: false });
    expect(adopter.adoptSubmitted(run())).toBeNull();
    expect(adopter.adopt([run()])).not.toBeNull();
  });

  it('leaves a quarter of the slots to hints', () => {
    const slots = new Slots(4);
    const adopter = adopterOf({ slots });
    const rooms = Array.from({ length: 4 }, () => adopter.adoptSubmitted(run()));
    expect(rooms.map((room) => room !== null)).toEqual([true, true, true, false]);
    for (const room of rooms) room?.giveUp();
    expect(slots.used).toBe(0);
  });
});

describe('the workers of a process', () => {
  it('are asked in turn until one has room, and not any more once they have gone', () => {
    const workers = new LocalWorkers();
    const [full, free] = [new Slots(1), new Slots(4)];
    workers.add(adopterOf({ slots: full }));
    const leave = workers.add(adopterOf({ slots: free, workerId: 'two' }));
    expect(workers.adoptSubmitted(run())?.claim.workerId).toBe('two');
    expect(workers.adopt([run(), run()])?.claim).toMatchObject({ workerId: 'two' });
    leave();
    expect(workers.adoptSubmitted(run())).toBeNull();
    expect([full.used, free.used]).toEqual([0, 3]);
  });
});
