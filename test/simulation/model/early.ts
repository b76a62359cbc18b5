/**
 * Hints that are sent while the rows of their runs are being stored, as libs/execution/src/worker/hint-intake.ts has them:
 * a worker that does not find the run looks again until a row that was stored in time would be there; of one that took
 * longer whoever stores it sends another hint. The looks in between are like hints that came later, and are left out.
 */
import { EARLY_LOOKS_MS, EARLY_TRUSTED_MS } from '@spine/execution';
import { putWorker } from './attempts.ts';
import { publish } from './queue.ts';
import type { Call, Worker, World } from './world.ts';

type CallOf<T extends Call['type']> = Extract<Call, { type: T }>;

/** From a hint to the last look for its run. */
export const LOOKS_MS = EARLY_LOOKS_MS.reduce<number>((sum, ms) => sum + ms, 0);

/** A submit that was answered later than this has its run hinted again. */
export const TRUSTED_MS = EARLY_TRUSTED_MS;

/** Sends the hint of a run whose row is on its way. @returns whether it was. */
export function hintEarly(world: World, client: number, run: number): boolean {
  const spec = world.plan.clients[client];
  return world.plan.early && spec?.runAfterMs === null && publish(world, run, true);
}

/** Whether the early hint of a run that was just stored is trusted to be enough. */
export function isHintedInTime(world: World, { early, sentAt }: CallOf<'submit'>): boolean {
  return early && (!world.guards.earlySecondHint || world.now - sentAt < TRUSTED_MS);
}

/** The claim of an early hint has found nothing. */
export function expectAgain(world: World, worker: Worker, { run, expectedSince }: CallOf<'claim'>): void {
  if (expectedSince === null || !world.guards.earlyLooks) return;
  if (world.now - expectedSince >= LOOKS_MS) return;
  if (worker.mode === 'stopping') publish(world, run, true);
  else {
    const expecting = [...worker.expecting, { run, since: expectedSince }];
    putWorker(world, { ...worker, expecting });
  }
}

/** Whether it is time for the last look. */
export function isExpected(world: World, { expecting }: Worker, run: number): boolean {
  return expecting.some((each) => each.run === run && each.since + LOOKS_MS <= world.now);
}

/** The last look; without a free slot the run is hinted anew. @returns the claim to send, null for none. */
export function takeExpected(
  world: World,
  worker: Worker,
  run: number,
  hasSlot: boolean,
): CallOf<'claim'> | null {
  const place = worker.expecting.findIndex((each) => each.run === run && each.since + LOOKS_MS <= world.now);
  const expected = worker.expecting[place];
  if (expected === undefined) return null;
  putWorker(world, { ...worker, expecting: worker.expecting.toSpliced(place, 1) });
  if (hasSlot) return { type: 'claim', worker: worker.id, run, from: 'hint', expectedSince: expected.since };
  publish(world, run, true);
  return null;
}
