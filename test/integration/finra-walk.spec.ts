/** The walk of docs/finra-otc.md from a file to a figure: its requests as they stand there, and the answers it shows. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerFinraOtc } from '@spine/finra-otc';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listIn, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { unpackRealWeeks } from './real-weeks.ts';

const PAGE = readFileSync(new URL('../../docs/finra-otc.md', import.meta.url), 'utf8');
const WALK = /^## A week, from the file to a figure\n(.*?)^## /ms.exec(PAGE)?.[1] ?? '';

interface Step {
  readonly name: string;
  readonly params: unknown;
}

/** The operations that a block of shell runs: one a line, or the same params for each of a loop. */
function stepsIn(block: string): Step[] {
  const loops = /^for operation in (?<names>[a-z_ ]+); do\n {2}run \$operation '(?<params>[^']+)'\ndone$/gm;
  const lines = /^run (?<names>[a-z_]+) '(?<params>[^']+)'$/gm;
  return [lines, loops].flatMap((pattern) =>
    [...block.matchAll(pattern)].flatMap(({ groups }) => {
      const { names = '', params = '' } = groups ?? {};
      return names.split(' ').map((name) => ({ name, params: JSON.parse(params) as unknown }));
    }),
  );
}

const pathsIn = (block: string): string[] =>
  [...block.matchAll(/^curl -s 'localhost:3000([^']+)'$/gm)].map(([, path = '']) => path);

const blocksOf = (language: string): string[] =>
  [...WALK.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);

const folder = mkdtempSync(join(tmpdir(), 'spine-finra-walk-'));
let api: Api;
beforeAll(async () => {
  unpackRealWeeks(folder);
  api = await startApi({ register: (registry) => registerFinraOtc(registry, { dataRoots: [folder] }) });
  await api.startWorker();
});
afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

it('answers as the page says', async () => {
  const shell = blocksOf('sh');
  const steps = shell.flatMap(stepsIn);
  const paths = shell.flatMap(pathsIn);
  const shown = blocksOf('json').map((block) => JSON.parse(block) as Record<string, unknown>);
  expect(steps).toHaveLength(4);
  expect(paths).toHaveLength(shown.length);
  expect(shown.length).toBeGreaterThan(0);

  for (const { name, params } of steps) {
    const json = { kind: 'operation', name: `finra.otc_transparency.${name}`, params };
    const submitted = await api.call('POST', '/api/v1/runs', { json });
    expect(submitted.status).toBe(202);
    const runId = String(submitted.body['data']?.['run_id']);
    // As the page waits: the stream ends with the run.
    const stream = await api.call('GET', `/api/v1/events/stream?run_id=${runId}&until_terminal=true`);
    expect(stream.text).toContain('"terminal":true');
    const { body } = await api.call('GET', `/api/v1/runs/${runId}`);
    expect(body['data']).toMatchObject({ name: json.name, status: 'completed' });
  }
  const answers: unknown[] = [];
  for (const path of paths) {
    const { status, body } = await api.call('GET', path);
    expect({ path, status }).toEqual({ path, status: 200 });
    answers.push(listIn(body['data'])[0]);
  }
  expect(answers).toMatchObject(shown);
}, 30_000);
