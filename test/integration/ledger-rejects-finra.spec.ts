/** Lines that ingest has refused, judged again by the rules as they are now. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, sha256Hex } from '@spine/core';
import { listRejects, manifestOf, repairsOf, writeRejects } from '@spine/database';
import { operationSpec, registerLedgerOperations, REPLAY_REJECTS } from '@spine/execution';
import {
  DOMAIN,
  INGEST_RULE_VERSION,
  INGEST_WEEK,
  ingestReplayer,
  registerFinraOtc,
  RejectReason,
} from '@spine/finra-otc';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const fixtures = resolve(import.meta.dirname, '../../libs/domains/finra-otc/fixtures');
const FILE = 'finra_otc_weekly_otc_broken_20251222.csv';
const bytes = readFileSync(join(fixtures, FILE));
const sha256 = createHash('sha256').update(bytes).digest('hex');
const partitionKey = { tier: 'OTC', week_ending: '2025-12-19' };
/** The first line of the file that is a good row. */
const STORED = bytes.toString().split('\n')[1] ?? '';
const NEW = 'OTC|NEWSYM|New Company Common Stock|OTCN OTC LINK NQB IDQS|OTCN|1200|3|2025-12-22';

let bed: Bed;
let lane: string;
beforeAll(async () => {
  bed = await openBed({
    queue: 'memory',
    register: (registry) => {
      registerFinraOtc(registry, { dataRoots: [fixtures] });
      registerLedgerOperations(registry, { replayers: [ingestReplayer] });
    },
  });
  lane = bed.newLane();
  await bed.startWorker(lane);
});
afterAll(() => bed.close());

async function execute(name: string, params: Readonly<Record<string, unknown>>) {
  const runId = await bed.submit(operationSpec(name, params, { lane }));
  return bed.reach(runId, 'completed');
}

/** A line as the rules before would have refused it. */
const refusedBefore = (raw: string, lineNumber: number) => ({
  domain: DOMAIN,
  partitionKey,
  stage: 'INGESTED',
  reasonCode: RejectReason.INVALID_SYMBOL,
  reasonDetail: 'too long for the rules before',
  raw,
  sourceLocator: `${FILE}#sha256=${sha256}`,
  lineNumber,
  recordHash: sha256Hex(raw),
  runId: newId(),
  batchId: null,
  ruleVersion: 'ingest-0',
  sourceHash: sha256,
});

describe('a replay of FINRA rejects', () => {
  it('stores what passes now with the source of its line, once, and leaves the rest open', async () => {
    await execute(INGEST_WEEK, { file_path: FILE });
    const refused = await listRejects(bed.engine.db, { domain: DOMAIN }, { limit: 100 });
    expect(refused.items).toHaveLength(8);
    for (const reject of refused.items) {
      expect(reject).toMatchObject({ ruleVersion: INGEST_RULE_VERSION, sourceHash: sha256 });
    }
    const before = [refusedBefore(NEW, 101), refusedBefore(`${NEW} `, 102), refusedBefore(STORED, 103)];
    await writeRejects(bed.engine.db, before);

    const run = await execute(REPLAY_REJECTS, { domain: DOMAIN });
    expect(run.result).toEqual({
      domain: DOMAIN,
      replayed: 11,
      repaired: 1,
      superseded: 2,
      still_rejected: 8,
      rule_versions: { INGESTED: INGEST_RULE_VERSION },
      stages_without_replayer: [],
    });
    const { rows } = await bed.admin.query(
      `SELECT symbol, total_shares::text AS shares, source_file, source_sha256, source_line, capture_id LIKE $2 AS captured
       FROM finra_otc_transparency_raw WHERE run_id = $1`,
      [run.runId, `${DOMAIN}:OTC:2025-12-19:%`],
    );
    expect(rows).toEqual([
      {
        symbol: 'NEWSYM',
        shares: '1200',
        source_file: FILE,
        source_sha256: sha256,
        source_line: 101,
        captured: true,
      },
    ]);
    expect(await manifestOf(bed.engine.db, DOMAIN, partitionKey)).toMatchObject([
      {
        stage: 'INGESTED',
        rowCount: 3,
        runId: run.runId,
        metrics: { repaired: 1, inserted: 2, rejected: 8, source_file: FILE },
      },
    ]);
    // By today's rules each is refused for the reason it was refused for: the rules have not changed since.
    for (const { rejectId, reasonCode, reasonDetail } of refused.items) {
      expect(await repairsOf(bed.engine.db, rejectId)).toMatchObject([
        { outcome: 'still_rejected', reasonCode, reasonDetail, ruleVersion: INGEST_RULE_VERSION },
      ]);
    }
    const open = await listRejects(bed.engine.db, { domain: DOMAIN, open: true }, { limit: 100 });
    expect(open.items.map(({ rejectId }) => rejectId)).toEqual(refused.items.map(({ rejectId }) => rejectId));

    const again = await execute(REPLAY_REJECTS, { domain: DOMAIN, rule_version: 'ingest-0' });
    expect(again.result).toMatchObject({ replayed: 0 });
    expect(await manifestOf(bed.engine.db, DOMAIN, partitionKey)).toMatchObject([{ runId: run.runId }]);
  });
});
