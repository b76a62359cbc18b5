import { loadProcessSettings } from '@spine/config';
import { SpineError } from '@spine/core';
import { prepareQueue } from './launch/queue.ts';
import { prepareSchema } from './launch/schema.ts';

/**
 * `spine migrate`: the schema, then the queue's own tables (or a check of Redis). Safe to run by several at once and
 * again.
 * @returns the exit code
 */
export async function runMigrate(): Promise<number> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  try {
    const settings = await loadProcessSettings({ role: 'migrate' });
    const databaseUrl = settings.database.url.reveal();
    const report = await prepareSchema(databaseUrl, (name) => say(`applying ${name}`));
    say(`schema version ${report.version}, ${report.applied.length} applied`);
    say(`queue ready on ${await prepareQueue({ databaseUrl, redisUrl: settings.redis.url?.reveal() })}`);
    return 0;
  } catch (error) {
    const text =
      error instanceof SpineError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}\n`);
    return 1;
  }
}
