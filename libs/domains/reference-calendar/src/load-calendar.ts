/**
 * Loads one calendar file.
 *
 * 1. The capture, its days, the manifest's row and the anomaly commit together, and only while this attempt holds the run.
 * 2. A file that disagrees with the rules is loaded all the same, since an exchange may decide anything: the disagreement
 *    is recorded as an anomaly, once for each capture.
 */
import { AnomalyCategory, ParseError, Severity, sha256Hex, toStorableText } from '@spine/core';
import { advanceManifest, recordAnomaly } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import { openDataFile, readBytes } from '@spine/execution';
import type { HandlerContext } from '@spine/execution';
import { parseCalendarFile } from './calendar-file.ts';
import type { CalendarFile } from './calendar-file.ts';
import { captureCalendar } from './captures.ts';
import type { CaptureOutcome } from './captures.ts';
import { isExchangeCode } from './exchanges.ts';
import { disagreements } from './loaded-year.ts';
import type { Disagreement } from './loaded-year.ts';
import { DOMAIN, STAGES } from './vocabulary.ts';

export interface LoadCalendarParams {
  readonly file_path: string;
}

export interface LoadCalendarResult {
  /** As given. */
  readonly file_path: string;
  readonly file_sha256: string;
  readonly exchange_code: string;
  readonly year: number;
  /** `unchanged`: the newest capture says the same already. */
  readonly outcome: CaptureOutcome['type'];
  readonly capture_id: string;
  readonly version: number;
  /** Days listed. */
  readonly days: number;
  /** Null where there are no rules to compare with. */
  readonly disagreements: readonly Disagreement[] | null;
}

const LOADED = 'LOADED';

/** A year of holidays has some kilobytes. */
const MAX_FILE_BYTES = 1024 * 1024;
/** The rest is counted. */
const ISSUES_SHOWN = 10;

/** The handler of `operation:reference.calendar.load`. */
export async function loadCalendarFile(
  { file_path }: LoadCalendarParams,
  ctx: HandlerContext,
  dataRoots: readonly string[],
): Promise<LoadCalendarResult> {
  const { name, bytes } = await readWhole(file_path, dataRoots);
  const file_sha256 = sha256Hex(bytes);
  const file = decode(name, bytes);
  const found = isExchangeCode(file.exchangeCode) ? disagreements(file, file.exchangeCode) : null;
  const outcome = await ctx.transaction((trx) => store(trx, file, found, { name, file_sha256, ctx }));
  if (found !== null && found.length > 0) {
    ctx.log.warn({ days: found.length, year: file.year }, 'the calendar file and the rules disagree');
  }
  const { captureId, version } = outcome.capture;
  return {
    file_path,
    file_sha256,
    exchange_code: file.exchangeCode,
    year: file.year,
    outcome: outcome.type,
    capture_id: captureId,
    version,
    days: file.entries.length,
    disagreements: found,
  };
}

async function readWhole(
  filePath: string,
  dataRoots: readonly string[],
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const file = await openDataFile(filePath, dataRoots, MAX_FILE_BYTES);
  try {
    const parts: Buffer[] = [];
    for await (const part of readBytes(file)) parts.push(Buffer.from(part));
    return { name: file.name, bytes: Buffer.concat(parts) };
  } finally {
    await file.handle.close();
  }
}

function decode(name: string, bytes: Buffer): CalendarFile {
  const parsed = parseCalendarFile(bytes.toString('utf8'));
  if (parsed.ok) return parsed.value;
  const shown = parsed.error
    .slice(0, ISSUES_SHOWN)
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  const more = parsed.error.length > ISSUES_SHOWN ? `; and ${parsed.error.length - ISSUES_SHOWN} more` : '';
  throw new ParseError(toStorableText(`${name} is not a calendar file: ${shown.join('; ')}${more}`));
}

async function store(
  trx: DbTransaction,
  file: CalendarFile,
  found: readonly Disagreement[] | null,
  {
    name,
    file_sha256,
    ctx,
  }: { readonly name: string; readonly file_sha256: string; readonly ctx: HandlerContext },
): Promise<CaptureOutcome> {
  const { runId, correlationId: batchId } = ctx.run;
  const partitionKey = { exchange_code: file.exchangeCode, year: file.year };
  const outcome = await captureCalendar(trx, file, {
    sourceFile: name,
    sourceSha256: file_sha256,
    runId,
    batchId,
  });
  const { captureId, version } = outcome.capture;
  await advanceManifest(trx, {
    domain: DOMAIN,
    partitionKey,
    stage: LOADED,
    stageRank: STAGES.rankOf(LOADED),
    rowCount: file.entries.length,
    metrics: { capture_id: captureId, version, source_file: name, file_sha256 },
    runId,
    batchId,
  });
  if (outcome.type === 'captured' && found !== null && found.length > 0) {
    await recordAnomaly(trx, {
      domain: DOMAIN,
      stage: LOADED,
      partitionKey,
      severity: Severity.WARN,
      category: AnomalyCategory.DATA_QUALITY,
      message: `${name} and the rules of ${file.exchangeCode} disagree on ${found.length} days of ${file.year}`,
      metadata: { capture_id: captureId, disagreements: found },
      runId,
      batchId,
    });
  }
  return outcome;
}
