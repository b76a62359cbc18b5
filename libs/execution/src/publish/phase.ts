/**
 * How far an attempt's publication is. Pure.
 *
 *   open --begin--> working --commit--> committing --committed--> published
 *     ^                |                    |   `--lost sight--> unknown
 *     `--- roll back --+--------------------'
 *
 * 1. An attempt that has ended (`closed`) commits nothing any more. 2. While the commit is under way the attempt's end
 * waits for it: nobody settles a run that may be settled already. 3. `published` and `unknown` are final.
 */
export type PublishPhase = 'open' | 'working' | 'committing' | 'published' | 'unknown' | 'closed';

export type PublishEvent =
  /** The handler asks to publish. */
  | 'begin'
  /** Its work is done: from here on the transaction settles the run. */
  | 'commit'
  | 'committed'
  /** Nothing of it was written. */
  | 'roll_back'
  /** Nobody could be asked whether it was committed. */
  | 'lose_sight'
  /** The attempt ends. */
  | 'close';

type Moves = Partial<Record<PublishEvent, PublishPhase>>;

const MOVES: Readonly<Record<PublishPhase, Moves>> = {
  open: { begin: 'working', close: 'closed' },
  working: { commit: 'committing', roll_back: 'open', close: 'closed' },
  committing: { committed: 'published', roll_back: 'open', lose_sight: 'unknown' },
  published: { close: 'published' },
  unknown: { close: 'unknown' },
  closed: { roll_back: 'closed', close: 'closed' },
};

/** The phase after an event; null when the event is refused in this phase. */
export function nextPhase(phase: PublishPhase, event: PublishEvent): PublishPhase | null {
  return MOVES[phase][event] ?? null;
}
