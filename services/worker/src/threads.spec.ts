import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { loadSettings } from '@spine/config';
import { HandlerRegistry } from '@spine/execution';
import type { ThreadPool } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { openThreads } from './threads.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spine-code-'));
  await writeFile(join(folder, 'answer.mjs'), 'export const answer = () => 42;');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function open(variables: Record<string, string>): ThreadPool {
  const env = { SPINE_DATABASE_URL: 'postgres://u@h/d', ...variables };
  return openThreads(loadSettings(env, { role: 'worker' }), import.meta.dirname, silentLogger());
}

const registry = new HandlerRegistry().registerTask(
  'answer',
  { description: 'Answers.', params: z.strictObject({}) },
  { module: 'answer.mjs', export: 'answer' },
);

it('are one per core but one, and load the deployed code, unless something else is said', async () => {
  const threads = open({});
  expect(threads.threads).toBe(Math.max(1, availableParallelism() - 1));
  await expect(threads.check(registry.handlers())).rejects.toThrow(/answer\.mjs/);
  await threads.close();
});

it('are as many as asked for, and load the modules of their folder', async () => {
  const threads = open({ SPINE_WORKER_THREADS: '3', SPINE_WORKER_CODE_DIR: folder });
  expect(threads.threads).toBe(3);
  await threads.check(registry.handlers());
  await threads.close();
});

it('do not start over a folder that is not there, which is named with its variable', () => {
  const nowhere = join(folder, 'nowhere');
  expect(() => open({ SPINE_WORKER_CODE_DIR: nowhere })).toThrow(
    new RegExp(`SPINE_WORKER_CODE_DIR, ${nowhere}, cannot be read`),
  );
  expect(() => open({ SPINE_WORKER_CODE_DIR: join(folder, 'answer.mjs') })).toThrow(/not a directory/);
});
