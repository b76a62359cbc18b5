/**
 * Ingests one weekly file.
 *
 * 1. Rows, rejects, the manifest's row, the watermark, the asset's materialization and the end of the run commit together,
 *    and only while this attempt holds the run.
 * 2. inserted + duplicates + rejected = file_rows, always: every line below the header that is not blank is one of them.
 * 3. Which rows are new is decided by their hashes in the table alone, so the same file again inserts nothing.
 * 4. A capture's time is read under its partition's lock: of two captures the one with the later time commits later, so
 *    "everything up to that time" never grows.
 * 5. The file is read twice, first to learn its hash, tier and week; both passes must see the same bytes.
 */
import { createHash } from 'node:crypto';
import { ParseError, SourceError } from '@spine/core';
import type { WeekEnding } from '@spine/core';
import type { PartitionKey } from '@spine/database';
import { openDataFile, readBytes } from '@spine/execution';
import type { DataFile, HandlerContext, Publication, Published } from '@spine/execution';
import { FileFacts } from './facts.ts';
import { IngestWriter } from './ingest-writer.ts';
import type { IngestCounts } from './ingest-writer.ts';
import { readLines } from './lines.ts';
import type { SourceLine } from './lines.ts';
import { beginCapture, countRows } from './repository.ts';
import type { Partition } from './row.ts';
import { INGEST_RULE_VERSION } from './rule-version.ts';
import { sortLines } from './sort-lines.ts';
import { assetOf, RAW_ASSET } from './tables/lineage.ts';
import { DOMAIN, Stage, WEEKLY_FILES } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';
import { checkWeekIsOver, decideTier, decideWeek } from './week.ts';
import type { WeekDecision } from './week.ts';

export interface IngestWeekParams {
  readonly file_path: string;
  readonly week_ending?: WeekEnding | undefined;
  readonly tier?: Tier | undefined;
  readonly force: boolean;
}

export interface IngestWeekResult extends IngestCounts {
  /** As given. */
  readonly file_path: string;
  readonly file_sha256: string;
  /** A Friday, YYYY-MM-DD. */
  readonly week_ending: string;
  readonly tier: Tier;
  /** `domain:tier:week_ending:yyyymmdd`, the last being the UTC date of the capture. */
  readonly capture_id: string;
}

/** Largest file that is ingested: five times two million rows. Memory does not grow with it, its transaction does. */
export const MAX_FILE_BYTES = 1024 ** 3;

/** Lines that are looked at between two looks at the clock and the signal. */
const LINES_PER_CHUNK = 100;

/** The handler of `operation:finra.otc_transparency.ingest_week`. */
export async function ingestWeek(
  params: IngestWeekParams,
  ctx: HandlerContext,
  dataRoots: readonly string[],
): Promise<Published<IngestWeekResult>> {
  const file = await openDataFile(params.file_path, dataRoots, MAX_FILE_BYTES);
  try {
    return await new Ingest(file, params, ctx).run();
  } finally {
    await file.handle.close();
  }
}

class Ingest {
  readonly #file: DataFile;
  readonly #params: IngestWeekParams;
  readonly #ctx: HandlerContext;
  #bytesRead = 0;

  constructor(file: DataFile, params: IngestWeekParams, ctx: HandlerContext) {
    this.#file = file;
    this.#params = params;
    this.#ctx = ctx;
  }

  async run(): Promise<Published<IngestWeekResult>> {
    const facts = new FileFacts();
    const sha256 = await this.#read((lines) => facts.add(lines));
    if (facts.lines === 0) throw new ParseError(`${this.#file.name} has a header and no rows`);
    const { file_path, week_ending = null, tier = null, force } = this.#params;
    const week = decideWeek({
      requested: week_ending,
      fileName: this.#file.name,
      lastUpdateDate: facts.lastUpdateDate,
      force,
    });
    await this.#warn(week);
    const partition = { tier: decideTier(tier, facts.tier), weekEnding: week.weekEnding };
    return this.#ctx.publish(async (publication) => ({
      file_path,
      file_sha256: sha256,
      week_ending: partition.weekEnding.date,
      tier: partition.tier,
      ...(await this.#store(publication, partition, sha256)),
    }));
  }

  /** Reads the file from its start, one chunk of lines at a time; answers its SHA-256. */
  async #read(use: (lines: readonly SourceLine[]) => void | Promise<void>): Promise<string> {
    const hash = createHash('sha256');
    const observe = (chunk: Buffer): void => {
      hash.update(chunk);
      this.#bytesRead += chunk.length;
    };
    for await (const lines of readLines(readBytes(this.#file), LINES_PER_CHUNK, observe)) {
      this.#ctx.signal.throwIfAborted();
      await use(lines);
      // The end is told by the run's own end, which commits with the rows.
      this.#ctx.progress(
        Math.min(this.#bytesRead / (2 * this.#file.size), 0.99),
        `reading ${this.#file.name}`,
      );
    }
    return hash.digest('hex');
  }

  async #store(
    publication: Publication,
    partition: Partition,
    sha256: string,
  ): Promise<IngestCounts & Pick<IngestWeekResult, 'capture_id'>> {
    const { runId, correlationId: batchId } = this.#ctx.run;
    const { trx } = publication;
    const { capturedAt, capturedOn } = await beginCapture(trx, partition);
    checkWeekIsOver(partition.weekEnding, capturedOn);
    const captureId = [
      DOMAIN,
      partition.tier,
      partition.weekEnding.date,
      capturedOn.replaceAll('-', ''),
    ].join(':');
    const sourceFile = this.#file.name;
    const provenance = { captureId, capturedAt, sourceFile, sourceSha256: sha256, runId, batchId };
    const writer = new IngestWriter(trx, partition, provenance);
    let read: string;
    let counts: IngestCounts;
    try {
      read = await this.#read((lines) => writer.add(sortLines(lines, partition)));
      counts = await writer.finish();
    } finally {
      await writer.settle();
    }
    if (read !== sha256) {
      throw new SourceError(`${this.#file.name} changed while it was read; nothing was stored`, {
        retryable: true,
      });
    }
    const partitionKey = { week_ending: partition.weekEnding.date, tier: partition.tier };
    const rowCount = await countRows(trx, partition);
    await publication.stage({
      domain: DOMAIN,
      partitionKey,
      stage: Stage.INGESTED.name,
      stageRank: Stage.INGESTED.rank,
      rowCount,
      metrics: { ...counts, capture_id: captureId, source_file: sourceFile, file_sha256: sha256 },
    });
    // The newest week there is of a tier; an older one that comes later leaves it where it is.
    await publication.watermark({
      domain: DOMAIN,
      source: WEEKLY_FILES,
      partitionKey: { tier: partition.tier },
      kind: 'date',
      highWater: partition.weekEnding.date,
      metadata: { capture_id: captureId },
    });
    // A file that says nothing new has produced nothing.
    if (counts.inserted > 0) await this.#materialize(publication, partitionKey, rowCount, sha256);
    return { capture_id: captureId, ...counts };
  }

  async #materialize(
    publication: Publication,
    partitionKey: PartitionKey,
    rowCount: number,
    sha256: string,
  ): Promise<void> {
    await publication.materialize({
      assetKey: RAW_ASSET,
      domain: DOMAIN,
      partitionKey,
      codeVersion: INGEST_RULE_VERSION,
      dataVersion: sha256,
      rowCount,
      upstreams: [
        {
          type: 'source',
          assetKey: assetOf(WEEKLY_FILES),
          partitionKey: { file: this.#file.name },
          dataVersion: sha256,
        },
      ],
    });
  }

  /** Tells where the file contradicts the week it is ingested as. */
  async #warn({ source, weekEnding, contradictedBy }: WeekDecision): Promise<void> {
    if (contradictedBy.length === 0) return;
    const data = {
      week_ending: weekEnding.date,
      source,
      contradicted_by: contradictedBy.map((claim) => ({
        source: claim.source,
        week_ending: claim.weekEnding.date,
      })),
    };
    this.#ctx.log.warn(data, 'the sources of the week contradict each other');
    await this.#ctx.event('week_ending_contradicted', data);
  }
}
