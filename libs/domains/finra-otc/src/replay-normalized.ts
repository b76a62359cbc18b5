/**
 * Judges rows that normalizing has refused by the rules as they are now.
 *
 * 1. The normalized rows of a capture and version are one set, which `normalize_week` makes as a whole: a replay adds none
 *    to it. A row that passes now is closed when the set of today's version has its symbol and venue, by this row or by one
 *    that counts rather than it. Until then its reject stays open, and says what to run.
 * 2. The verdicts of a week are given under its partition's lock: no set is rebuilt meanwhile.
 * 3. What is judged is the stored raw row, by the hash that the reject names; raw rows are never changed.
 */
import { InvariantError, WeekEnding } from '@spine/core';
import type { ReplayVerdict } from '@spine/core';
import { partitionKeyText } from '@spine/database';
import type { DbTransaction, StoredReject } from '@spine/database';
import type { RejectReplayer } from '@spine/execution';
import { examine } from './calcs/normalize.ts';
import type { NormalizedRow } from './calcs/normalize.ts';
import { CALCS } from './calcs/registry.ts';
import { NORMALIZE_WEEK } from './operations/names.ts';
import { lockOf } from './operations/capture-inputs.ts';
import { normalizeRules } from './rule-version.ts';
import { describeWeek, lockPartition, newestCapture } from './tables/captures.ts';
import type { Capture } from './tables/captures.ts';
import { normalizedKeys } from './tables/inputs.ts';
import { rawRowsByHash } from './tables/raw-rows.ts';
import { DOMAIN, TIERS } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';

/** Rules of normalizing change with its version alone. */
const RULES = CALCS.current('normalize');

/** Replays the rejects of `finra.otc_transparency.normalize_week`. */
export const normalizeReplayer: RejectReplayer = {
  domain: DOMAIN,
  stage: 'NORMALIZED',
  ruleVersion: normalizeRules(RULES),
  replay,
};

async function replay(
  trx: DbTransaction,
  rejects: readonly StoredReject[],
): Promise<readonly ReplayVerdict[]> {
  const verdicts = new Map<string, ReplayVerdict>();
  const byPartition = Map.groupBy(rejects, (reject) => partitionKeyText(reject.partitionKey));
  // In one order, so that two replays cannot lock each other out.
  for (const [, group] of [...byPartition].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await judgePartition(trx, group, verdicts);
  }
  return rejects.map(({ rejectId }) => {
    const verdict = verdicts.get(rejectId);
    if (verdict === undefined) throw new InvariantError(`reject ${rejectId} was not judged`);
    return verdict;
  });
}

interface Passing {
  readonly reject: StoredReject;
  readonly row: NormalizedRow;
}

async function judgePartition(
  trx: DbTransaction,
  rejects: readonly StoredReject[],
  verdicts: Map<string, ReplayVerdict>,
): Promise<void> {
  const [first] = rejects;
  if (first === undefined) return;
  const of = weekOf(first);
  await lockPartition(trx, lockOf('normalize', { week_ending: of.weekEnding, tier: of.tier }));
  const capture = await newestCapture(trx, { weekEnding: of.weekEnding.date, tier: of.tier });
  if (capture === null) throw new InvariantError(`reject ${first.rejectId} is of a week without captures`);
  const rows = await rawRowsByHash(
    trx,
    rejects.map(({ recordHash }) => recordHash),
  );
  const passing: Passing[] = [];
  for (const reject of rejects) {
    const raw = rows.get(reject.recordHash);
    if (raw === undefined) throw new InvariantError(`reject ${reject.rejectId} is of no stored row`);
    const examined = examine(raw, of.weekEnding.date);
    if (examined.type === 'accepted') passing.push({ reject, row: examined.row });
    else {
      const { reason: reasonCode, detail: reasonDetail } = examined.rejected;
      verdicts.set(reject.rejectId, { outcome: 'still_rejected', reasonCode, reasonDetail });
    }
  }
  const stored = await normalizedKeys(
    trx,
    { captureId: capture.captureId, calcVersion: RULES },
    passing.map(({ row }) => row.symbol),
  );
  for (const { reject, row } of passing) {
    verdicts.set(
      reject.rejectId,
      stored.has(`${row.symbol}|${row.mpid}`) ? { outcome: 'superseded' } : notYet(reject, capture),
    );
  }
}

/** A row that passes and is not among the rows: they were made by other rules. */
function notYet({ reasonCode }: StoredReject, capture: Capture): ReplayVerdict {
  return {
    outcome: 'still_rejected',
    reasonCode,
    reasonDetail:
      `passes by the rules of ${RULES}, and the normalized rows of ${describeWeek(capture)} were made without it; ` +
      `run ${NORMALIZE_WEEK} with force: true, and replay again`,
  };
}

/** What normalizing has written as the partition of its rejects. */
function weekOf({ rejectId, partitionKey }: StoredReject): {
  readonly tier: Tier;
  readonly weekEnding: WeekEnding;
} {
  const tier = TIERS.find((each) => each === partitionKey['tier']);
  const week = partitionKey['week_ending'];
  if (tier === undefined || typeof week !== 'string') {
    throw new InvariantError(`reject ${rejectId} is of no week and tier: ${partitionKeyText(partitionKey)}`);
  }
  return { tier, weekEnding: WeekEnding.parse(week) };
}
