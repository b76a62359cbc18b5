/**
 * Judges lines that ingest has refused by the rules as they are now.
 *
 * 1. Which rows are new is decided under the partition's lock, as in an ingest: a row is stored once, whoever comes first.
 * 2. Partitions are locked in one order, so that a replay and another one, or an ingest, cannot lock each other out.
 * 3. A stored row says where its line stood: file, hash and line of the reject.
 */
import { InvariantError, WeekEnding } from '@spine/core';
import type { ReplayVerdict } from '@spine/core';
import { advanceManifest, manifestOf, partitionKeyText, recordMaterialization } from '@spine/database';
import type { DbTransaction, StoredReject } from '@spine/database';
import type { RejectReplayer, ReplayRun } from '@spine/execution';
import { beginCapture, countRows, insertNewRows } from './repository.ts';
import type { CaptureTime } from './repository.ts';
import { hashRow, parseRow } from './row.ts';
import type { Partition } from './row.ts';
import { INGEST_RULE_VERSION } from './rule-version.ts';
import type { LocatedRow } from './sort-lines.ts';
import { assetOf, RAW_ASSET } from './tables/lineage.ts';
import { DELIMITER, DOMAIN, Stage, TIERS, WEEKLY_FILES } from './vocabulary.ts';

/** Replays the rejects of `finra.otc_transparency.ingest_week`. */
export const ingestReplayer: RejectReplayer = {
  domain: DOMAIN,
  stage: Stage.INGESTED.name,
  ruleVersion: INGEST_RULE_VERSION,
  replay,
};

interface RawTable {
  readonly record_hash: string;
}

/** A line that passes now. */
interface Passing {
  readonly reject: StoredReject;
  readonly row: LocatedRow;
}

const STILL = 'still_rejected';

async function replay(
  trx: DbTransaction,
  rejects: readonly StoredReject[],
  run: ReplayRun,
): Promise<readonly ReplayVerdict[]> {
  const verdicts = new Map<string, ReplayVerdict>();
  const byPartition = Map.groupBy(rejects, (reject) => partitionKeyText(reject.partitionKey));
  for (const [, group] of [...byPartition].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await replayPartition(trx, group, run, (rejectId, verdict) => verdicts.set(rejectId, verdict));
  }
  return rejects.map(({ rejectId }) => {
    const verdict = verdicts.get(rejectId);
    if (verdict === undefined) throw new InvariantError(`reject ${rejectId} was not judged`);
    return verdict;
  });
}

async function replayPartition(
  trx: DbTransaction,
  rejects: readonly StoredReject[],
  run: ReplayRun,
  judge: (rejectId: string, verdict: ReplayVerdict) => void,
): Promise<void> {
  const [first] = rejects;
  if (first === undefined) return;
  const partition = partitionOf(first);
  const capture = await beginCapture(trx, partition);
  const passing: Passing[] = [];
  for (const reject of rejects) {
    const parsed = parseRow(reject.raw.split(DELIMITER), partition);
    if (parsed.isOk()) {
      const recordHash = hashRow(parsed.value, partition);
      passing.push({ reject, row: { ...parsed.value, line: lineOf(reject), recordHash } });
    } else {
      const { reason: reasonCode, detail: reasonDetail } = parsed.error;
      judge(reject.rejectId, { outcome: STILL, reasonCode, reasonDetail });
    }
  }
  const seen = await storedOf(trx, passing);
  const fresh: Passing[] = [];
  for (const each of passing) {
    const { recordHash } = each.row;
    judge(each.reject.rejectId, { outcome: seen.has(recordHash) ? 'superseded' : 'repaired' });
    if (!seen.has(recordHash)) fresh.push(each);
    seen.add(recordHash);
  }
  if (fresh.length > 0) await store(trx, partition, capture, fresh, run);
}

/** Stores the rows, each with the source of its reject, and says so in the manifest. */
async function store(
  trx: DbTransaction,
  partition: Partition,
  { capturedAt, capturedOn }: CaptureTime,
  fresh: readonly Passing[],
  { runId, batchId }: ReplayRun,
): Promise<void> {
  const { tier, weekEnding } = partition;
  const partitionKey = { week_ending: weekEnding.date, tier };
  const captureId = [DOMAIN, tier, weekEnding.date, capturedOn.replaceAll('-', '')].join(':');
  for (const [, group] of Map.groupBy(fresh, ({ reject }) => reject.sourceLocator)) {
    const [first] = group;
    if (first === undefined) continue;
    const source = { ...sourceOf(first.reject), captureId, capturedAt, runId, batchId };
    const rows = group.map(({ row }) => row);
    const inserted = await insertNewRows(trx, rows, partition, source);
    if (inserted !== rows.length) {
      throw new InvariantError(
        `${rows.length} rows were new under the partition's lock, ${inserted} were stored`,
      );
    }
    const { sourceFile, sourceSha256 } = source;
    await recordMaterialization(trx, {
      assetKey: RAW_ASSET,
      domain: DOMAIN,
      partitionKey,
      runId,
      batchId,
      codeVersion: INGEST_RULE_VERSION,
      // Not the file's alone: with it the partition holds rows that it did not hold before.
      dataVersion: `${sourceSha256}:run:${runId}`,
      upstreams: [
        {
          type: 'source',
          assetKey: assetOf(WEEKLY_FILES),
          partitionKey: { file: sourceFile },
          dataVersion: sourceSha256,
        },
      ],
    });
  }
  const { name: stage, rank: stageRank } = Stage.INGESTED;
  const before = (await manifestOf(trx, DOMAIN, partitionKey)).find((row) => row.stage === stage);
  const metrics = before?.metrics ?? {};
  const repaired = typeof metrics['repaired'] === 'number' ? metrics['repaired'] : 0;
  await advanceManifest(trx, {
    domain: DOMAIN,
    partitionKey,
    stage,
    stageRank,
    rowCount: await countRows(trx, partition),
    metrics: { ...metrics, repaired: repaired + fresh.length, capture_id: captureId },
    runId,
    batchId,
  });
}

async function storedOf(trx: DbTransaction, passing: readonly Passing[]): Promise<Set<string>> {
  if (passing.length === 0) return new Set();
  const rows = await trx
    .withTables<{ finra_otc_transparency_raw: RawTable }>()
    .selectFrom('finra_otc_transparency_raw')
    .select('record_hash')
    .where(
      'record_hash',
      'in',
      passing.map(({ row }) => row.recordHash),
    )
    .execute();
  return new Set(rows.map((row) => row.record_hash));
}

/** What ingest has written as the partition of its rejects. */
function partitionOf({ rejectId, partitionKey }: StoredReject): Partition {
  const tier = TIERS.find((each) => each === partitionKey['tier']);
  const week = partitionKey['week_ending'];
  if (tier === undefined || typeof week !== 'string') {
    throw new InvariantError(`reject ${rejectId} is of no week and tier: ${partitionKeyText(partitionKey)}`);
  }
  return { tier, weekEnding: WeekEnding.parse(week) };
}

function lineOf({ rejectId, lineNumber }: StoredReject): number {
  if (lineNumber === null) throw new InvariantError(`reject ${rejectId} has no line`);
  return lineNumber;
}

const LOCATOR = /^(?<name>.+)#sha256=(?<hash>[0-9a-f]{64})$/s;

function sourceOf({ rejectId, sourceLocator }: StoredReject): { sourceFile: string; sourceSha256: string } {
  const { name, hash } = LOCATOR.exec(sourceLocator)?.groups ?? {};
  if (name === undefined || hash === undefined) {
    throw new InvariantError(`reject ${rejectId} has no source file: ${sourceLocator}`);
  }
  return { sourceFile: name, sourceSha256: hash };
}
