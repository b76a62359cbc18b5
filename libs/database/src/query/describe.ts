/** What a statement would answer, without executing it. */
import type { Connection, FieldDef, PoolClient, Submittable } from 'pg';

/** Null: the statement answers with no rows. */
export type Described = readonly FieldDef[] | null;

/**
 * Parses a statement and asks for the columns of its answer. The parse message takes one statement and no more: Postgres
 * refuses a text with several.
 *
 * @throws the database's error for a statement that it does not understand.
 */
export function describeStatement(client: PoolClient, text: string): Promise<Described> {
  return new Promise((resolve, reject) => {
    client.query(new DescribeStatement(text, resolve, reject));
  });
}

/** As a cursor is, for the driver's `query`. */
class DescribeStatement implements Submittable {
  readonly #text: string;
  readonly #resolve: (described: Described) => void;
  readonly #reject: (error: Error) => void;
  #fields: Described = null;

  constructor(text: string, resolve: (described: Described) => void, reject: (error: Error) => void) {
    this.#text = text;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: Connection): void {
    connection.parse({ name: '', text: this.#text, types: [] }, true);
    connection.describe({ type: 'S', name: '' }, true);
    connection.sync();
  }

  // What follows is called by the driver.

  handleRowDescription(message: { readonly fields: readonly FieldDef[] }): void {
    this.#fields = message.fields;
  }

  handleError(error: Error): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#fields);
  }
}
