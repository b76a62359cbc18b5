/** Params and results of many megabytes over HTTP. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

const MIB = 1024 * 1024;
/** Seventeen bytes of JSON each. */
const TEXT = 'Zeile 語 "1"\n'.repeat(10 * 65_536);

let api: Api;
beforeAll(async () => {
  api = await startApi();
  await api.startWorker();
});
afterAll(() => api.close());

const echo = (params: unknown) => ({ kind: 'task', name: 'echo', params });

async function submit(params: unknown): Promise<string> {
  const answer = await api.call('POST', '/api/v1/runs', { json: echo(params) });
  expect(answer.status).toBe(202);
  return String(answer.body['data']?.['run_id']);
}

/** That many bytes of a body that asks for an echo. */
function bodyOf(bytes: number): string {
  const empty = JSON.stringify(echo({ text: '' }));
  return JSON.stringify(echo({ text: 'x'.repeat(bytes - empty.length) }));
}

describe('params and a result of more than ten MiB', () => {
  let runId: string;
  let run: Json;
  beforeAll(async () => {
    runId = await submit({ text: TEXT });
    run = await runWithStatus(api, runId, 'completed');
  });

  it('come back as they were sent', () => {
    expect(Buffer.byteLength(JSON.stringify({ text: TEXT }))).toBeGreaterThan(10 * MIB);
    expect(run).toMatchObject({ status: 'completed', omitted: [] });
    expect(String(run['params']?.['text']) === TEXT).toBe(true);
    expect(String(run['result']?.['text']) === TEXT).toBe(true);
  });

  it('are left out where nobody asked for them: a list, ?payloads=false', async () => {
    const one = await api.call('GET', `/api/v1/runs/${runId}?payloads=false`);
    const page = await api.call('GET', '/api/v1/runs');
    for (const shown of [
      one.body['data'],
      listIn(page.body['data']).find((each) => String(each['run_id']) === runId),
    ]) {
      const omitted = {
        $omitted: {
          bytes: Buffer.byteLength(JSON.stringify({ text: TEXT })),
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        },
      };
      expect(shown).toMatchObject({ params: omitted, result: omitted, omitted: ['params', 'result'] });
    }
    expect(page.text.length).toBeLessThan(10_000);
  });

  it('take no other word for it', async () => {
    const answer = await api.call('GET', `/api/v1/runs/${runId}?payloads=some`);
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'payloads' }] } });
  });
});

describe('what is too large', () => {
  it('is refused with the limit it broke, and nothing is stored', async () => {
    const before = await api.rowCounts();
    const params = await api.call('POST', '/api/v1/runs', { json: echo({ text: 'x'.repeat(16 * MIB) }) });
    expect(params).toMatchObject({
      status: 413,
      body: { code: 'PAYLOAD_TOO_LARGE', errors: [{ field: 'params', code: 'too_large' }] },
    });
    expect(params.body['detail']).toContain(`at most ${16 * MIB} are allowed`);
    for (const path of ['/api/v1/runs', '/api/v1/runs/batch']) {
      const body = await api.call('POST', path, { body: bodyOf(17 * MIB + 1) });
      expect(body, path).toMatchObject({
        status: 413,
        body: {
          code: 'PAYLOAD_TOO_LARGE',
          detail: `the body is larger than ${17 * MIB} bytes`,
          errors: [{ field: 'body' }],
        },
      });
    }
    const elsewhere = await api.call('POST', '/api/v1/runs/cancel', { body: ' '.repeat(8 * MIB + 1) });
    expect(elsewhere).toMatchObject({
      status: 413,
      body: { detail: `the body is larger than ${8 * MIB} bytes` },
    });
    expect(await api.rowCounts()).toEqual(before);
  });

  it('is told by the capabilities', async () => {
    const { body } = await api.call('GET', '/api/v1/capabilities');
    expect(body['data']?.['limits']).toMatchObject({ body_bytes: 17 * MIB, params_bytes: 16 * MIB });
  });

  it('of a batch refuses its item alone', async () => {
    const runs = [echo({ text: 'small' }), echo({ text: 'x'.repeat(16 * MIB) })];
    const answer = await api.call('POST', '/api/v1/runs/batch', { json: { runs } });
    expect(answer.status).toBe(207);
    expect(listIn(answer.body['data']?.['items'])).toMatchObject([
      { outcome: 'accepted' },
      { outcome: 'refused', code: 'PAYLOAD_TOO_LARGE', errors: [{ field: 'runs[1].params' }] },
    ]);
  });
});

describe('a store of payloads that takes nothing', () => {
  it('answers 503 to what is too large for the row, writes nothing, and takes what is small', async () => {
    const root = await mkdtemp(join(tmpdir(), 'spine-payloads-'));
    const limits = { inlineBytes: 1_000, maxBytes: 10_000 };
    const broken = await startApi({ payloads: { dir: root, ...limits } });
    try {
      const large = { json: echo({ text: 'x'.repeat(5_000) }) };
      const accepted = await broken.call('POST', '/api/v1/runs', large);
      expect(accepted.status).toBe(202);
      await rm(root, { recursive: true });
      await writeFile(root, 'a file where the folder was');
      const before = await broken.rowCounts();
      const refused = await broken.call('POST', '/api/v1/runs', large);
      expect(refused).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
      expect(refused.headers.get('retry-after')).toBe('5');
      expect(refused.body['detail']).toMatch(
        /^the params of run .* could not be stored: E[A-Z]+; try again shortly$/,
      );
      expect(await broken.rowCounts()).toEqual(before);
      expect((await broken.call('POST', '/api/v1/runs', { json: echo({ text: 'x' }) })).status).toBe(202);

      // What cannot be had is told of; the run itself can still be looked at, cancelled, and not be done again.
      const runId = String(accepted.body['data']?.['run_id']);
      const shown = await broken.call('GET', `/api/v1/runs/${runId}`);
      expect(shown.body['data']).toMatchObject({
        status: 'queued',
        omitted: ['params'],
        params: {
          $omitted: { bytes: 5_011, reason: expect.stringContaining('could not be read') as string },
        },
      });
      expect((await broken.call('POST', `/api/v1/runs/${runId}/cancel`)).status).toBe(200);
      expect((await broken.call('POST', `/api/v1/runs/${runId}/retry`)).status).toBe(503);
    } finally {
      await broken.close();
      await rm(root, { force: true });
    }
  });
});
