import { rowCountAtLeast, sumsTo, unique } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { Normalizer } from '../calcs/normalize.ts';
import type { Normalized, NormalizedRow, RejectedRow } from '../calcs/normalize.ts';
import { NORMALIZED } from '../tables/calc-tables.ts';
import { lockCaptures } from '../repository.ts';
import { normalizeRules } from '../rule-version.ts';
import { newestCapture, obtainCapture } from '../tables/captures.ts';
import type { Capture } from '../tables/captures.ts';
import { materializeCapture } from '../tables/lineage.ts';
import { rawRowsOf } from '../tables/raw-rows.ts';
import { DELIMITER, DOMAIN } from '../vocabulary.ts';
import { lockOf, partitionOf, tierWeekOf } from './capture-inputs.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';
import type { StepInputs } from './step.ts';

const CALC = 'normalize';
const STAGE = 'NORMALIZED';

interface Inputs extends StepInputs {
  readonly capture: Capture;
}

interface Checked extends Normalized {
  /** Rows of the capture. */
  readonly rowsIn: number;
}

/** The handler of `operation:finra.otc_transparency.normalize_week`. */
export function normalizeWeek(params: CaptureParams, ctx: HandlerContext) {
  const { runId, correlationId: batchId } = ctx.run;
  return runStep<Inputs, Checked>(ctx, {
    calc: CALC,
    stage: STAGE,
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'rows_accepted', minimum: 1, count: ({ accepted }) => accepted.length }),
      sumsTo({
        name: 'rows_accounted_for',
        expected: ({ rowsIn }) => rowsIn,
        values: ({ accepted, rejected, duplicates, superseded }) => [
          accepted.length,
          rejected.length,
          duplicates,
          superseded,
        ],
      }),
      unique({
        name: 'symbol_and_venue_once',
        keys: ({ accepted }) => accepted.map(({ symbol, mpid }) => `${symbol} ${mpid}`),
      }),
    ],
    inputs: async (trx, version) => {
      const of = tierWeekOf(params);
      // An ingest that is under way ends first: rows must not come in between two looks at them.
      await lockCaptures(trx, { tier: params.tier, weekEnding: params.week_ending });
      const capture = await obtainCapture(trx, of, params.capture_id ?? null, { runId, batchId });
      const newest = await newestCapture(trx, of);
      return {
        capture,
        captureIds: [capture.captureId],
        partitionKey: partitionOf(CALC, version, capture, newest),
        identity: { capture_id: capture.captureId, raw_digest: capture.rawDigest },
      };
    },
    calculate: async (trx, { capture, partitionKey }, version) => {
      const normalizer = new Normalizer(capture.weekEnding);
      let rowsIn = 0;
      for await (const page of rawRowsOf(trx, capture)) {
        ctx.signal.throwIfAborted();
        for (const row of page) normalizer.add(row);
        rowsIn += page.length;
        ctx.progress(Math.min(rowsIn / (2 * capture.rawRows), 0.5), `${rowsIn} rows read`);
      }
      const normalized = normalizer.end();
      const { accepted, rejected, duplicates, superseded } = normalized;
      const rows = accepted.map((row) => toRow(row, capture, version, runId));
      return {
        rows,
        metrics: {
          rows_in: rowsIn,
          accepted: accepted.length,
          rejected: rejected.length,
          duplicates,
          superseded,
        },
        checked: { ...normalized, rowsIn: capture.rawRows },
        write: async (publication) => {
          await materializeCapture(publication, capture);
          const key = NORMALIZED.key.key({ capture_id: capture.captureId, calc_version: version });
          await replaceForKey(publication.trx, NORMALIZED, key, rows);
          await publication.rejects(rejected.map((each) => toReject(each, capture, partitionKey, version)));
        },
      };
    },
  });
}

function toRow(row: NormalizedRow, capture: Capture, version: string, runId: string) {
  return {
    capture_id: capture.captureId,
    calc_version: version,
    symbol: row.symbol,
    mpid: row.mpid,
    issue_name: row.issueName,
    venue_name: row.venueName,
    total_shares: row.totalShares,
    total_trades: row.totalTrades,
    last_update_date: row.lastUpdateDate,
    record_hash: row.recordHash,
    captured_at: capture.capturedAt,
    run_id: runId,
  };
}

/** The reject keeps the row as it is stored, in the columns of a weekly file; the capture and the version say which rules. */
function toReject(
  { row, reason, detail }: RejectedRow,
  capture: Capture,
  partitionKey: Inputs['partitionKey'],
  version: string,
) {
  const { symbol, issueName, venueName, mpid, totalShares, totalTrades, lastUpdateDate } = row;
  const fields = [capture.tier, symbol, issueName, venueName, mpid, totalShares, totalTrades, lastUpdateDate];
  return {
    domain: DOMAIN,
    partitionKey,
    stage: STAGE,
    reasonCode: reason,
    reasonDetail: detail,
    raw: fields.join(DELIMITER),
    sourceLocator: `${row.sourceFile}#sha256=${row.sourceSha256}`,
    lineNumber: row.sourceLine,
    recordHash: row.recordHash,
    ruleVersion: normalizeRules(version),
  };
}
