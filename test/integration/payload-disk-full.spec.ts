/** A folder of payloads that takes no more: here the file size limit of the process, which a full disk looks like. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';

const FIXTURE = fileURLToPath(new URL('./fixtures/limited-disk.ts', import.meta.url));
/** At most 128 KiB a file, whether the shell counts in halves of KiB or in whole ones. */
const LIMIT = 'ulimit -f 128; exec "$0" "$@"';

let database: TestDatabase;
let root: string;
beforeAll(async () => {
  database = await createTestDatabase();
  root = await mkdtemp(join(tmpdir(), 'spine-payloads-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
  await database.drop();
});

it('refuses submits, fails attempts that may be tried again, and leaves nothing half written', async () => {
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    LIMIT,
    process.execPath,
    '--conditions=@spine/source',
    FIXTURE,
    database.connectionString,
    root,
  ]);
  const said = JSON.parse(stdout) as { small: string; large: string; result: unknown };
  expect(said.small).toBe('completed');
  expect(said.large).toMatch(/^PayloadUnavailableError: the params of run .* could not be stored: EFBIG$/);
  // Tried again, and settled for good when that did not help.
  expect(said.result).toMatchObject({
    status: 'dead_lettered',
    attempt: 2,
    error: {
      type: 'PayloadUnavailableError',
      category: 'STORAGE',
      retryable: true,
      message: expect.stringMatching(
        /^the result of run .* \(epoch \d+\) could not be stored: EFBIG$/,
      ) as string,
    },
  });

  const pool = createPool({ connectionString: database.connectionString });
  const { rows } = await pool.query<{ runs: number }>('SELECT count(*)::int AS runs FROM runs');
  await pool.end();
  expect(rows).toEqual([{ runs: 2 }]);
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  expect(files.filter((entry) => entry.isFile())).toEqual([]);
});
