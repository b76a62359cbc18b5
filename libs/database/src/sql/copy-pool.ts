import { pipeline } from 'node:stream/promises';
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { CopyInput } from './copy.ts';
import type { Pool } from './pool.ts';

/** A pool as Kysely uses it, whose connections can also COPY. */
export function withCopy(pool: Pool): PostgresPool {
  // Kysely keeps what it knows of a connection by the object it is given: one a connection.
  const clients = new WeakMap<PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => {
      const client = await pool.connect();
      const known = clients.get(client) ?? new CopyingClient(client);
      clients.set(client, known);
      return known;
    },
  };
}

class CopyingClient implements PostgresPoolClient {
  readonly #client: PoolClient;
  /** The same one, as Kysely sees it. */
  readonly #plain: PostgresPoolClient;

  constructor(client: PoolClient) {
    this.#client = client;
    this.#plain = client;
  }

  query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    statement: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof statement !== 'string') return this.#plain.query(statement);
    const [input] = parameters;
    return input instanceof CopyInput
      ? this.#copy(statement, input)
      : this.#plain.query<R>(statement, parameters);
  }

  release(destroy?: boolean): void {
    this.#plain.release(destroy);
  }

  async #copy<R>(text: string, { chunks }: CopyInput): Promise<PostgresQueryResult<R>> {
    const stream = this.#client.query(copyFrom(text));
    await pipeline(chunks, stream);
    // Kysely knows no COPY, and counts the rows of an INSERT.
    return { command: 'INSERT', rowCount: stream.rowCount, rows: [] };
  }
}
