import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AdmissionFacts, PartitionState, RunAtGate } from '@spine/database';
import type { ConcurrencyPolicy, ConflictPolicy } from '../workflow/model.ts';
import { decideAdmission, gatesOf } from './admit.ts';
import type { AdmissionRequest } from './admit.ts';

const NOW = new Date('2026-03-02T12:00:00Z');
const request = (more: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  name: 'etl',
  policy: undefined,
  partitionKey: null,
  force: false,
  continues: false,
  ...more,
});
const facts = (more: Partial<AdmissionFacts> = {}): AdmissionFacts => ({
  now: NOW,
  self: { runId: 'self', priority: 2 },
  begun: false,
  held: new Set(),
  others: [],
  ...more,
});
const other = (runId: string, more: Partial<RunAtGate> = {}): RunAtGate => ({
  key: 'workflow:etl',
  runId,
  priority: 2,
  holds: true,
  told: false,
  begun: true,
  leaving: false,
  ...more,
});

describe('the admission of a run', () => {
  it('lets everything through without a policy and a partition', () => {
    expect(decideAdmission(request(), facts(), null)).toEqual({ type: 'start', keys: [], cancel: [] });
  });

  it('has who was told that it is his turn go first, and who comes behind him wait', () => {
    const policy: ConcurrencyPolicy = { maxRuns: 1 };
    const told = other('a', { holds: false, told: true, begun: false });
    expect(decideAdmission(request({ policy }), facts({ others: [told] }), null)).toMatchObject({
      type: 'wait',
    });
    const later = { ...told, runId: 'z' };
    expect(decideAdmission(request({ policy }), facts({ others: [later] }), null)).toMatchObject({
      type: 'start',
    });
  });

  it('has a run wait for its partition before its place, and for both where it would wait for either', () => {
    const occupied: PartitionState = { completedBy: null, occupant: { runId: 'a', status: 'running' } };
    const gates = (onConflict: ConflictPolicy, begun = false): readonly string[] => {
      const asked = request({ policy: { maxRuns: 1, onConflict }, partitionKey: '{"a":1}' });
      const decision = decideAdmission(asked, facts({ begun }), occupied);
      return decision.type === 'wait' ? decision.wait.gates.map(({ key }) => key) : [];
    };
    expect(gates('queue')).toEqual(['workflow:etl {"a":1}', 'workflow:etl']);
    expect(gates('skip')).toEqual(['workflow:etl {"a":1}']);
    expect(gates('cancel_existing')).toEqual(['workflow:etl {"a":1}']);
    expect(gates('skip', true)).toEqual(['workflow:etl {"a":1}', 'workflow:etl']);
  });

  it('looks again soon where the last run of a partition is just ending', () => {
    const ending: PartitionState = { completedBy: null, occupant: { runId: 'a', status: 'cancelled' } };
    expect(decideAdmission(request({ partitionKey: '{"a":1}' }), facts(), ending)).toMatchObject({
      type: 'wait',
      wait: { gate: null, delayMs: 500 },
    });
  });

  it('never skips what goes on for a run of the partition', () => {
    const done: PartitionState = { completedBy: { runId: 'a', at: NOW }, occupant: null };
    const partitionKey = '{"a":1}';
    expect(decideAdmission(request({ partitionKey }), facts(), done)).toMatchObject({
      type: 'skip',
      runId: 'a',
    });
    for (const more of [{ continues: true }, { force: true }]) {
      expect(decideAdmission(request({ partitionKey, ...more }), facts(), done)).toMatchObject({
        type: 'start',
      });
    }
  });

  it('names long partitions by their hash', () => {
    const key = (text: string): string => gatesOf(request({ partitionKey: text })).partition?.key ?? '';
    expect(key('{"a":1}')).toBe('workflow:etl {"a":1}');
    const [long, longer] = [key('x'.repeat(300)), key('x'.repeat(301))];
    expect(long).toMatch(/^workflow:etl #[0-9a-f]{64}$/);
    expect(long).not.toBe(longer);
  });
});

/** Runs as a database would keep them; what happens to them is chosen by the test. */
interface Model {
  readonly runs: Map<string, ModelRun>;
  next: number;
}
interface ModelRun {
  state: 'submitted' | 'waiting' | 'under_way' | 'leaving' | 'paused' | 'ended' | 'skipped';
  begun: boolean;
}

const ids = (model: Model, ...states: ModelRun['state'][]): string[] =>
  [...model.runs].filter(([, { state }]) => states.includes(state)).map(([id]) => id);

/** What the hand-over of a run finds, does, and leaves. */
function handOver(model: Model, policy: ConcurrencyPolicy, runId: string): void {
  const run = model.runs.get(runId);
  if (run === undefined) return;
  const others = [...model.runs].flatMap(([id, { state, begun }]): RunAtGate[] => {
    if (id === runId || !['waiting', 'under_way', 'leaving'].includes(state)) return [];
    const holds = state !== 'waiting';
    return [other(id, { holds, begun, leaving: state === 'leaving', told: false })];
  });
  const decision = decideAdmission(
    request({ policy }),
    facts({ self: { runId, priority: 2 }, begun: run.begun, others }),
    null,
  );
  if (decision.type === 'skip') {
    expect(run.begun).toBe(false);
    run.state = 'skipped';
    return;
  }
  for (const { runId: cancelled, begun } of decision.cancel) {
    const victim = model.runs.get(cancelled);
    if (victim === undefined) throw new Error(`there is no run ${cancelled}`);
    expect(victim.begun).toBe(begun);
    // What waits and has begun hears of it when it is handed over again.
    if (victim.state !== 'waiting') victim.state = 'leaving';
    else if (!begun) victim.state = 'ended';
  }
  if (decision.type === 'wait') run.state = 'waiting';
  else Object.assign(run, { state: 'under_way', begun: true });
}

describe('any order of events', () => {
  it('has never more runs under way than are allowed, and leaves none waiting while there is room', () => {
    const action = fc.tuple(fc.constantFrom('submit', 'end', 'pause', 'resume', 'turn'), fc.nat(1_000));
    const policies = fc.record({
      maxRuns: fc.integer({ min: 1, max: 3 }),
      onConflict: fc.constantFrom<ConflictPolicy>('queue', 'skip', 'cancel_existing'),
    });
    fc.assert(
      fc.property(policies, fc.array(action, { maxLength: 60 }), (policy, actions) => {
        const model: Model = { runs: new Map(), next: 0 };
        const pick = (among: readonly string[], n: number): string | undefined =>
          among[n % (among.length || 1)];
        for (const [what, n] of actions) {
          if (what === 'submit') {
            const id = `run-${String((model.next += 1)).padStart(4, '0')}`;
            model.runs.set(id, { state: 'submitted', begun: false });
            handOver(model, policy, id);
          } else if (what === 'end') {
            const id = pick(ids(model, 'under_way', 'leaving'), n);
            if (id !== undefined) Object.assign(model.runs.get(id) ?? {}, { state: 'ended' });
          } else if (what === 'pause') {
            const id = pick(ids(model, 'under_way'), n);
            if (id !== undefined) Object.assign(model.runs.get(id) ?? {}, { state: 'paused' });
          } else {
            const id = pick(ids(model, what === 'resume' ? 'paused' : 'waiting'), n);
            // The gate lets a run of its line through only when there is room.
            const isFree = ids(model, 'under_way', 'leaving').length < policy.maxRuns;
            if (id !== undefined && (what === 'resume' || isFree)) handOver(model, policy, id);
          }
          expect(ids(model, 'under_way', 'leaving').length).toBeLessThanOrEqual(policy.maxRuns);
        }
        for (const id of ids(model, 'under_way', 'leaving'))
          Object.assign(model.runs.get(id) ?? {}, { state: 'ended' });
        const waiting = ids(model, 'waiting').slice(0, policy.maxRuns);
        for (const id of waiting) handOver(model, policy, id);
        for (const id of waiting) expect(model.runs.get(id)?.state).not.toBe('skipped');
        expect(ids(model, 'under_way').length).toBeGreaterThanOrEqual(Math.min(1, waiting.length));
      }),
      { numRuns: 300 },
    );
  });
});
