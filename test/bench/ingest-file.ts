/** A weekly file of any size, and what is in it. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';

/** What every row is about; published on the Monday after. */
export const INGEST_WEEK_ENDING = '2025-12-12';
export const INGEST_FILE_NAME = 'finra_otc_weekly_otc_20251215.csv';

export interface IngestFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  readonly rows: number;
  readonly shares: bigint;
  readonly trades: bigint;
}

const HEADER =
  'tierDescription|issueSymbolIdentifier|issueName|marketParticipantName|MPID|totalWeeklyShareQuantity|' +
  'totalWeeklyTradeCount|lastUpdateDate\n';
const VENUES = ['OTCN', 'OTCX', 'ARCA', 'ETMM', 'NITE', 'CDEL', 'GTSM', 'JANE'] as const;
const BYTES_A_WRITE = 1_000_000;

/** Five letters, another one for each number below 26^5. */
function symbolOf(number: number): string {
  let symbol = '';
  for (let rest = number, index = 0; index < 5; index += 1, rest = Math.floor(rest / 26)) {
    symbol = String.fromCharCode(65 + (rest % 26)) + symbol;
  }
  return symbol;
}

/** Writes a file of `rows` different rows: eight venues a symbol, lines as long as those of real files. */
export async function writeIngestFile(path: string, rows: number): Promise<IngestFile> {
  const out = createWriteStream(path);
  let [shares, trades] = [0n, 0n];
  let text = HEADER;
  for (let index = 0; index < rows; index += 1) {
    const symbol = symbolOf(Math.floor(index / VENUES.length));
    const venue = VENUES[index % VENUES.length] ?? VENUES[0];
    const [share, trade] = [(index * 7_919) % 10_000_019, (index * 31) % 5_003];
    shares += BigInt(share);
    trades += BigInt(trade);
    text += `OTC|${symbol}|Issue ${symbol} Holdings Inc Common Stock (Cayman Islands)|${venue} OTC LINK|${venue}|${share}|${trade}|2025-12-15\n`;
    if (text.length < BYTES_A_WRITE) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await finished(out);
  return { path, size: (await stat(path)).size, rows, shares, trades };
}
