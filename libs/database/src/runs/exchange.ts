/**
 * Settling and claiming in one statement: a busy worker gives back and takes in the same commit. The two parts touch
 * disjoint rows (what this worker runs; what waits) and each keeps its own guards; see settle.ts and claim.ts.
 */
import type { Queryable } from '../sql/pool.ts';
import { CLAIM_CTES, claimRuns, claimValues, toClaimedRun } from './claim.ts';
import type { ClaimedRow, ClaimedRun, ClaimOptions } from './claim.ts';
import { ANY_END, COMPLETIONS, REFUSED, settleForm } from './settle-sql.ts';
import type { SettleForm } from './settle-sql.ts';
import { attemptOf, settleOutcomes, settleRuns } from './settle.ts';
import type { SettleItem, SettleOutcome } from './settle.ts';

export interface ExchangeOutcome {
  /** Per settled item, in order. */
  readonly settled: readonly SettleOutcome[];
  readonly claimed: readonly ClaimedRun[];
}

/**
 * The claim's parameters follow the settlement's. Answers with the rows of the claim, then a row with id and epoch alone for
 * each refused settlement.
 */
function exchangeSql({ ctes, parameters }: SettleForm): string {
  const claim = CLAIM_CTES.replace(/\$(\d+)/g, (_, number: string) => `$${Number(number) + parameters}`);
  return `WITH ${ctes}, ${claim}
SELECT * FROM c UNION ALL
SELECT i.id, NULL, NULL, NULL, NULL, i.epoch, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM ${REFUSED}`;
}

const EXCHANGE_SQL = new Map([ANY_END, COMPLETIONS].map((form) => [form, exchangeSql(form)]));

type ExchangeRow = ClaimedRow | { readonly id: string; readonly epoch: number; readonly kind: null };

/** Settles `items` and claims those of `runIds` that may be claimed, in one transaction. */
export async function exchangeRuns(
  db: Queryable,
  items: readonly SettleItem[],
  runIds: readonly string[],
  options: ClaimOptions & { readonly source: string },
): Promise<ExchangeOutcome> {
  if (runIds.length === 0) return { settled: await settleRuns(db, items, options), claimed: [] };
  if (items.length === 0) return { settled: [], claimed: await claimRuns(db, runIds, options) };
  const form = settleForm(items);
  const { rows } = await db.query<ExchangeRow>({
    name: `spine_exchange${form.suffix}`,
    text: EXCHANGE_SQL.get(form) ?? exchangeSql(form),
    values: [...form.values(items, options), ...claimValues(runIds, options)],
  });
  const claimed: ClaimedRun[] = [];
  const refused = new Set<string>();
  for (const row of rows) {
    if (row.kind === null) refused.add(attemptOf(row));
    else claimed.push(toClaimedRun(row));
  }
  return { settled: await settleOutcomes(db, items, refused, options), claimed };
}
