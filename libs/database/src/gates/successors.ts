/**
 * Who follows in free places under concurrency keys, when a worker where a run of the key has ended starts them itself.
 *
 * 1. Nothing is locked while it is looked and decided. The claim takes effect only where a gate's row is still at the
 *    version that was looked at. Whoever takes a place, joins a line or changes a limit writes that row under its lock, so
 *    what the gate holds can only have become less since, and the line before it shorter.
 * 2. The order of the line is kept: whoever stands in it ahead and is not started here (another worker's, one with gates
 *    that were not looked at, one there is no slot for) counts as told, and its place as kept.
 * 3. It takes all places that are free and not only those it has freed. Where runs are so short that several workers
 *    decide about one key at once, its places so gather in one of them, and the others decide nothing that comes too late.
 * 4. The claim, its place and the end of its wait are one commit. `admit` decides, as about every claim with gates.
 */
import { admit, UNUSED } from './admit.ts';
import type { GatedRun, GateFact } from './admit.ts';
import { encodeGates, gateId } from './gate.ts';
import type { ConcurrencyGate, Gate } from './gate.ts';
import type { GateVersion, LineHead, LineRow, SuccessorClaim } from './successor-rows.ts';

interface Follower extends GatedRun {
  readonly gates: readonly ConcurrencyGate[];
}

export interface Succession {
  /** In the order in which they stand in line. */
  readonly runs: readonly SuccessorClaim[];
  /** Of every gate that these runs pass. */
  readonly versions: readonly GateVersion[];
  /** Keys with a place in which none of these follows, and that nobody was told of: their lines are to be told. */
  readonly open: readonly string[];
}

/**
 * Decides who follows. Pure.
 *
 * @param gatesOf the gates of a run as they are now; null for those that cannot be read here.
 * @param room runs that may start here at the most.
 */
export function decideSuccession(
  heads: readonly LineHead[],
  gatesOf: (run: LineRow) => readonly Gate[] | null,
  room: number,
): Succession {
  const known = new Map(heads.map((head) => [head.key, head]));
  const lines = heads.map((head) => {
    const followers: Follower[] = [];
    const others: LineRow[] = [];
    for (const run of head.line) {
      const gates = run.mine ? onlyPlaces(gatesOf(run), known) : null;
      if (gates === null || followers.length >= room) others.push(run);
      else followers.push({ runId: run.runId, priority: run.priority, gates });
    }
    return { head, followers, others };
  });
  const facts = new Map(
    lines.map(({ head, others }): [string, GateFact] => {
      const told = new Map([...head.reserved, ...others].map((place) => [place.runId, place]));
      return [
        gateId({ type: 'concurrency', key: head.key }),
        { ...UNUSED, held: head.held, reserved: [...told.values()] },
      ];
    }),
  );
  const { admitted } = admit(
    lines.flatMap(({ followers }) => followers),
    { now: 0, gates: facts },
  );
  const chosen = new Set(admitted.slice(0, room).map(({ runId }) => runId));
  const runs = lines.flatMap(({ followers }) => followers.filter(({ runId }) => chosen.has(runId)));
  const limits = new Map(runs.flatMap(({ gates }) => gates.map(({ key, limit }) => [key, limit])));
  return {
    runs: runs.map(({ runId, gates }) => ({
      runId,
      gates: encodeGates(gates) ?? '[]',
      keys: gates.map(({ key }) => key),
    })),
    open: heads.flatMap(({ key, held, reserved, limit }) => {
      const following = runs.filter(({ gates }) => gates.some((gate) => gate.key === key)).length;
      const told = reserved.filter(({ runId }) => !chosen.has(runId)).length;
      return held + following + told < limit ? [key] : [];
    }),
    versions: heads.flatMap(({ key, version }) => {
      const limit = limits.get(key);
      return limit === undefined ? [] : [{ key, version, limit }];
    }),
  };
}

/** The gates, if all are places under keys that were looked at; null for others. */
function onlyPlaces(
  gates: readonly Gate[] | null,
  known: ReadonlyMap<string, LineHead>,
): readonly ConcurrencyGate[] | null {
  if (gates === null || gates.length === 0) return null;
  const places = gates.flatMap((gate) => (gate.type === 'concurrency' && known.has(gate.key) ? [gate] : []));
  return places.length === gates.length ? places : null;
}
