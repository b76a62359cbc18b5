/** Statements of a real database that are in the hands of a test. */
import type { Queryable } from '@spine/database';

export type Interception = (send: () => Promise<unknown>) => Promise<unknown>;

/** What a statement is called here; a batch of completions settles by a form of its own. */
export function statementName(config: { readonly name?: string | undefined }): string {
  return (config.name ?? '').replace('_completed', '');
}

/** Statements of these names go as the test says, all others to the database. */
export function intercepted(db: Queryable, hows: Readonly<Record<string, Interception>>): Queryable {
  return {
    query: (config) => {
      const send = () => db.query(config);
      return (hows[statementName(config)]?.(send) ?? send()) as never;
    },
  };
}

/** What a connection that breaks before the answer says. */
export function losesTheAnswer(): never {
  throw new Error('Connection terminated unexpectedly');
}

/** Commits the first of these statements and loses its answer. */
export function loseFirstAnswer(): Interception & { lost: number } {
  const interception = Object.assign(
    async (send: () => Promise<unknown>): Promise<unknown> => {
      const answer = await send();
      if (interception.lost > 0) return answer;
      interception.lost += 1;
      return losesTheAnswer();
    },
    { lost: 0 },
  );
  return interception;
}
