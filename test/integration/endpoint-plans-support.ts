/** Every read of the API, which statements a process sends, from whichever pool, and how Postgres would execute them. */
import pg from 'pg';
import { buildOpenApiDocument } from '@spine/api';
import type { Pool } from '@spine/database';
import type { Sent } from './plan-support.ts';

export interface Recorded extends Sent {
  /** As the connection it was sent on plans: for the values, or for any. */
  readonly mode: 'force_custom_plan' | 'force_generic_plan';
}

export interface Recorder {
  /** What was sent since the last call, each text once. */
  take(): readonly Recorded[];
  stop(): void;
}

/** Statements that are planned; others have no plan. */
const PLANNED = /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i;

function sentOf(args: readonly unknown[]): Sent | null {
  const [first, second] = args;
  const values = Array.isArray(second) ? (second as readonly unknown[]) : [];
  if (typeof first === 'string') return { text: first, values };
  if (typeof first !== 'object' || first === null || !('text' in first)) return null;
  const own = 'values' in first && Array.isArray(first.values) ? (first.values as unknown[]) : values;
  return { text: String(first.text), values: own };
}

/** Listens to every connection of this process from now on. One at a time. */
export function recordStatements(): Recorder {
  const { prototype } = pg.Client;
  const original = Object.getOwnPropertyDescriptor(prototype, 'query');
  if (original === undefined) throw new Error('the driver has no query');
  const query: unknown = original.value;
  if (typeof query !== 'function') throw new Error('the driver’s query is no function');
  const seen = new Map<string, Recorded>();
  Object.defineProperty(prototype, 'query', {
    ...original,
    value(this: pg.Client & { connectionParameters: { options?: string } }, ...args: unknown[]): unknown {
      const sent = sentOf(args);
      if (sent !== null && PLANNED.test(sent.text)) {
        const generic = this.connectionParameters.options?.includes('force_generic_plan') === true;
        seen.set(sent.text, { ...sent, mode: generic ? 'force_generic_plan' : 'force_custom_plan' });
      }
      return Reflect.apply(query, this, args) as unknown;
    },
  });
  return {
    take: () => {
      const taken = [...seen.values()];
      seen.clear();
      return taken;
    },
    stop: () => void Object.defineProperty(prototype, 'query', original),
  };
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Filter?: string;
  readonly Plans?: readonly PlanNode[];
}

/**
 * Tables that a plan reads from end to end. One that is read without a condition until a limit is reached is not: it ends by
 * itself.
 */
function scannedIn(node: PlanNode, limited: boolean): string[] {
  const table = node['Relation Name'];
  const reads = node['Node Type'] === 'Seq Scan' && table !== undefined;
  if (reads && !(limited && node.Filter === undefined)) return [table];
  // What is sorted or counted is read whole, whatever follows.
  const passesOn = /^(Limit|Result|Subquery Scan|Append|Nested Loop|LockRows)$/.test(node['Node Type']);
  const below = passesOn && (limited || node['Node Type'] === 'Limit');
  return (node.Plans ?? []).flatMap((child) => scannedIn(child, below));
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return `'${value.toISOString()}'`;
  const text = Array.isArray(value)
    ? `{${value.map((each) => `"${String(each)}"`).join(',')}}`
    : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * The tables a statement reads from end to end.
 * @param seqScan false: as if the tables were so large that it is never worth it; what is still scanned has no index for it
 */
export async function scannedTables(
  admin: Pool,
  { text, values, mode }: Recorded,
  { seqScan }: { readonly seqScan: boolean },
): Promise<string[]> {
  const client = await admin.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL plan_cache_mode = ${mode}`);
    await client.query(`SET LOCAL enable_seqscan = ${seqScan ? 'on' : 'off'}`);
    await client.query(`PREPARE asked AS ${text}`);
    const execute = values.length === 0 ? 'asked' : `asked (${values.map(literal).join(', ')})`;
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE ${execute}`,
    );
    const root = rows[0]?.['QUERY PLAN'][0].Plan;
    return root === undefined ? [] : scannedIn(root, false);
  } finally {
    await client.query('ROLLBACK');
    await client.query('DEALLOCATE ALL');
    client.release();
  }
}

export interface Read {
  /** As the document has it. */
  readonly pattern: string;
  /** With the ids in the places of their names, and what it has to be asked with. */
  readonly pathFor: (ids: ReadonlyMap<string, string>) => string;
}

/** What stands for a name that there is nothing of. */
const NOTHING = '019a0000-0000-7000-8000-000000000001';

/** Values of query parameters that have to be there. */
const REQUIRED: Readonly<Record<string, string>> = {
  tier: 'OTC',
  domain: 'd',
  from: '2026-01-02',
  to: '2026-01-09',
};

async function readsOfDocument(): Promise<readonly Read[]> {
  const { paths } = await buildOpenApiDocument();
  return Object.entries(paths).flatMap(([pattern, { get }]) => {
    if (get === undefined) return [];
    const query = (get.parameters ?? []).flatMap((parameter) =>
      'in' in parameter && parameter.in === 'query' && parameter.required === true
        ? [`${parameter.name}=${REQUIRED[parameter.name] ?? 'x'}`]
        : [],
    );
    return {
      pattern,
      pathFor: (ids) => {
        const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids.get(name) ?? NOTHING);
        return query.length === 0 ? path : `${path}?${query.join('&')}`;
      },
    };
  });
}

/** Every GET of the API with no more than it has to be asked with. */
export const defaultReads = await readsOfDocument();

/** Asks, and hangs up when the answer begins: a stream has no end. */
export async function statusOf(url: string, path: string): Promise<number> {
  const hangUp = new AbortController();
  const response = await fetch(`${url}${path}`, { signal: hangUp.signal });
  const { status } = response;
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) hangUp.abort();
  else await response.arrayBuffer();
  return status;
}
