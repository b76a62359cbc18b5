/** How Postgres would execute the statements that a function sends. */
import { createDb, createPool } from '@spine/database';
import type { Db, Pool, Queryable } from '@spine/database';

export interface Sent {
  readonly text: string;
  readonly values: readonly unknown[];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

export interface Plan {
  /** Tables that are read as a whole. */
  readonly seqScans: readonly string[];
  readonly indexes: readonly string[];
  /** What is looked up in an index. One that is read as a whole has none, or none of its first column. */
  readonly conditions: readonly string[];
}

/** What `send` sends first, without a server. */
export async function sentBy(send: (db: Queryable) => Promise<unknown>): Promise<readonly Sent[]> {
  const sent: Sent[] = [];
  await send({
    query: (config) => {
      sent.push({ text: config.text, values: config.values ?? [] });
      return Promise.resolve({ rows: [], rowCount: 0, command: '', oid: 0, fields: [] });
    },
  });
  return sent;
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function toPlan(nodes: readonly PlanNode[]): Plan {
  return {
    seqScans: nodes.flatMap((node) =>
      node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? '?'] : [],
    ),
    indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
    conditions: nodes.flatMap((node) => node['Index Cond'] ?? []),
  };
}

function literal(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return 'NULL';
  const text = Array.isArray(value) ? `{${value.join(',')}}` : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

/** @param mode how the plan is chosen: for the values at hand, or for any. */
export async function planOf(
  pool: Pool,
  mode: 'force_custom_plan' | 'force_generic_plan',
  { text, values }: Sent,
): Promise<Plan> {
  const client = await pool.connect();
  try {
    await client.query(`SET plan_cache_mode = ${mode}`);
    await client.query(`PREPARE asked AS ${text}`);
    const execute = values.length === 0 ? 'asked' : `asked (${values.map(literal).join(', ')})`;
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE ${execute}`,
    );
    const root = rows[0]?.['QUERY PLAN'][0].Plan;
    return toPlan(root === undefined ? [] : nodesOf(root));
  } finally {
    await client.query('DEALLOCATE ALL');
    client.release();
  }
}

export interface WatchedDb {
  /** The plans of every SELECT that `ask` sends, together. */
  planOf(ask: (db: Db) => Promise<unknown>): Promise<Plan>;
  close(): Promise<void>;
}

/** A query builder whose every SELECT is explained, with the values it carries, before it is sent. */
export function watchedDb(connectionString: string): WatchedDb {
  let seen: PlanNode[] = [];
  const pool = createPool({ connectionString, max: 1 });
  pool.on('connect', (client) => {
    const query = client.query.bind(client);
    const explain = async (text: string, values: unknown[]): Promise<void> => {
      const { rows } = await query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `EXPLAIN (FORMAT JSON, COSTS OFF) ${text}`,
        values,
      );
      const root = rows[0]?.['QUERY PLAN'][0].Plan;
      if (root !== undefined) seen.push(...nodesOf(root));
    };
    Object.assign(client, {
      query: async (text: string, values: unknown[] = []) => {
        if (/^\s*(SELECT|WITH)\b/i.test(text)) await explain(text, values);
        return query(text, values);
      },
    });
  });
  const db = createDb(pool);
  return {
    planOf: async (ask) => {
      seen = [];
      await ask(db);
      const plan = toPlan(seen);
      return { ...plan, indexes: [...new Set(plan.indexes)] };
    },
    close: () => db.destroy(),
  };
}
