import { describe, expect, it } from 'vitest';
import type { StateRecord } from '@spine/database';
import type { WorkflowEvent } from '../engine/event.ts';
import { defineWorkflow } from '../workflow/define.ts';
import { Planning } from './planning.ts';
import type { RecordName } from './planning.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

const MAP = defineWorkflow(
  {
    name: 'test.map',
    steps: [
      {
        kind: 'map',
        name: 'each',
        items: '{{ params.items }}',
        maxConcurrency: 4,
        iterator: [{ kind: 'lambda', name: 'one', handler: 'work', params: { n: '{{ item }}' } }],
      },
    ],
  },
  { hasHandler: () => true, workflow: () => undefined },
);

const nameOf = ({ part, key }: RecordName): string => `${part} ${key}`;

/** Ten items, of which four have started. */
async function begun() {
  const first = new Planning(MAP, null, () => Promise.resolve([]), NOW);
  const params = { items: Array.from({ length: 10 }, (_, index) => index) };
  const started: WorkflowEvent = { type: 'started', runId: 'run', params, environment: 'test' };
  await first.prefetch([started]);
  await first.tell(started);
  const records = new Map(first.changes().map((record): [string, StateRecord] => [nameOf(record), record]));
  return { head: first.head, records };
}

const settled = (index: number): WorkflowEvent => ({
  type: 'map_item_settled',
  step: 'each',
  index,
  attempt: 1,
  result: { status: 'ok', output: { n: index } },
});

describe('Planning', () => {
  it('reads the items that a map goes on to all at once, however many have been answered', async () => {
    const { head, records } = await begun();
    const reads: string[][] = [];
    const planning = new Planning(
      MAP,
      head,
      (names) => {
        reads.push(names.map(nameOf));
        return Promise.resolve(names.flatMap((name) => records.get(nameOf(name)) ?? []));
      },
      NOW,
    );
    const events = [0, 1, 2, 3].map(settled);
    await planning.prefetch(events);
    for (const event of events) expect(await planning.tell(event)).toBeNull();
    expect(reads).toEqual([
      ['step each', ...[0, 1, 2, 3].map((index) => `item each[${index}]`)],
      [4, 5, 6, 7].map((index) => `item each[${index}]`),
    ]);
    const starts = planning
      .takeCommands()
      .flatMap((command) => (command.type === 'start_item' ? [command.index] : []));
    expect(starts).toEqual([4, 5, 6, 7]);
  });

  it('reads none beyond the last', async () => {
    const { head, records } = await begun();
    const reads: number[] = [];
    const planning = new Planning(
      MAP,
      head,
      (names) => {
        reads.push(names.length);
        return Promise.resolve(names.flatMap((name) => records.get(nameOf(name)) ?? []));
      },
      NOW,
    );
    const events = Array.from({ length: 10 }, (_, index) => settled(index));
    await planning.prefetch(events);
    expect(reads).toEqual([11]);
  });
});
