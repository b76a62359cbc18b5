/** Whatever becomes of an insert, the room that a worker keeps for its run is ended once, and the way its row asks for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertNever } from '@spine/core';
import type { NewRun } from '@spine/database';
import type { Adoption } from '../worker/adopter.ts';
import { newRun } from '../spec/new-run.ts';
import { taskSpec } from '../spec/work-spec.ts';
import { EagerStarts } from './eager-starts.ts';

type Ending = 'begun' | 'begun empty' | 'given up' | 'looked for';

/** What becomes of one insert. `lost`: the connection breaks before it is executed; `unanswered`: after its commit. */
const FATES = ['answered', 'unanswered', 'lost', 'deadlock', 'refused', 'cut'] as const;
type Fate = (typeof FATES)[number];

const FAULTS = {
  unanswered: 'ECONNRESET',
  lost: 'ECONNRESET',
  deadlock: '40P01',
  refused: '23514',
  cut: '57014',
} as const;

function fault(fate: Exclude<Fate, 'answered'>): Error {
  return Object.assign(new Error(fate), { code: FAULTS[fate] });
}

/** A worker that always has room, and says how each was ended. */
function roomy() {
  const endings: Ending[][] = [];
  const adoptSubmitted = ({ runId }: NewRun): Adoption => {
    const ends: Ending[] = [];
    endings.push(ends);
    return {
      claim: { workerId: 'one', leaseMs: 1, runIds: new Set([runId]) },
      begin: (stored) => void ends.push(stored.has(runId) ? 'begun' : 'begun empty'),
      giveUp: () => void ends.push('given up'),
      lookFor: () => void ends.push('looked for'),
    };
  };
  return { endings, starts: new EagerStarts({ adoptSubmitted }) };
}

interface Sent {
  readonly endings: readonly (readonly Ending[])[];
  readonly row: 'none' | 'claimed' | 'queued';
  readonly hints: number;
  readonly answered: boolean;
}

/** Sends a run as group commit does, each time with the next fate; `paused`: no run is stored as claimed. */
function send(fates: readonly Fate[], paused: boolean): Sent {
  const { endings, starts } = roomy();
  const run = newRun(taskSpec('noop'), {});
  const { runId } = run;
  let row: Sent['row'] = 'none';
  let ambiguous = false;
  let hints = 0;
  for (const fate of fates) {
    const start = starts.of([run], ambiguous);
    const before = row;
    if (row === 'none' && (fate === 'answered' || fate === 'unanswered')) {
      row = start?.claim?.runIds.has(runId) === true && !paused ? 'claimed' : 'queued';
    }
    if (fate === 'answered') {
      const status = row === 'claimed' ? 'running' : 'queued';
      const isNew = before === 'none';
      const starting =
        start?.answered(
          isNew ? { type: 'inserted', runId, status, createdAt: new Date(0) } : { type: 'existing' },
        ) ?? false;
      if (isNew && !starting) hints += 1;
      return { endings, row, hints, answered: true };
    }
    start?.failed(fault(fate));
    switch (fate) {
      case 'lost':
      case 'unanswered':
        ambiguous = true;
        break;
      case 'deadlock':
        break;
      case 'refused':
      case 'cut':
        starts.abandon([run]);
        return { endings, row, hints, answered: false };
      default:
        assertNever(fate);
    }
  }
  starts.abandon([run]);
  return { endings, row, hints, answered: false };
}

const many = fc.array(fc.constantFrom(...FATES), { maxLength: 6 });

describe('the room for a run that is submitted alone', () => {
  it('is ended exactly once, whatever its inserts come to', () => {
    fc.assert(
      fc.property(many, fc.boolean(), (fates, paused) => {
        for (const ends of send(fates, paused).endings) expect(ends).toHaveLength(1);
      }),
    );
  });

  it('is used or looked for where the run was stored as claimed, and begun only when that is known', () => {
    fc.assert(
      fc.property(many, fc.boolean(), (fates, paused) => {
        const { endings, row } = send(fates, paused);
        const last = endings.at(-1)?.[0];
        if (row === 'claimed') expect(['begun', 'looked for']).toContain(last);
        else expect(endings.flat()).not.toContain('begun');
      }),
    );
  });

  it('takes the place of a hint, where the run was stored as claimed and nowhere else', () => {
    fc.assert(
      fc.property(many, fc.boolean(), (fates, paused) => {
        const { row, hints, answered } = send(fates, paused);
        // One that was stored and not answered for is left to the relay, as any other.
        const firstSend = fates.find((fate) => fate === 'answered' || fate === 'unanswered') === 'answered';
        expect(hints).toBe(answered && firstSend && row === 'queued' ? 1 : 0);
      }),
    );
  });

  it.each([
    { fates: ['answered'], ending: 'begun' },
    { fates: ['lost', 'answered'], ending: 'given up' },
    { fates: ['unanswered', 'answered'], ending: 'looked for' },
    { fates: ['unanswered', 'deadlock', 'answered'], ending: 'looked for' },
    { fates: ['unanswered', 'cut'], ending: 'looked for' },
    { fates: ['unanswered', 'unanswered'], ending: 'looked for' },
    { fates: ['refused'], ending: 'given up' },
  ] as const)('is $ending after: $fates', ({ fates, ending }) => {
    expect(send(fates, false).endings).toEqual([[ending]]);
  });

  it('is asked for anew after a deadlock, which has stored nothing', () => {
    expect(send(['deadlock', 'answered'], false).endings).toEqual([['given up'], ['begun']]);
  });

  it('is asked for one run, and for no repeat of what was not claimed', () => {
    const { endings, starts } = roomy();
    const runs = [newRun(taskSpec('noop'), {}), newRun(taskSpec('noop'), {})];
    expect(starts.of(runs, false)).toBeNull();
    expect(starts.of(runs.slice(1), true)).toBeNull();
    expect(endings).toEqual([]);
  });
});
