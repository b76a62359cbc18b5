import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIn, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const batch = (runs: readonly unknown[], query = '') =>
  api.call('POST', `/api/v1/runs/batch${query}`, { json: { runs } });
const echo = (n: number) => ({ kind: 'task', name: 'echo', params: { n } });
const itemsOf = (body: Json): readonly Json[] => listIn(body['data']?.['items']);

describe('POST /runs/batch', () => {
  it('stores a thousand runs and answers in their order', async () => {
    const { status, body } = await batch(Array.from({ length: 1_000 }, (_, n) => echo(n)));
    expect(status).toBe(202);
    expect(body['data']).toMatchObject({ accepted: 1_000, existing: 0, refused: 0 });
    const items = itemsOf(body);
    expect(items.map((item) => item['index'])).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    const { body: run } = await api.call('GET', `/api/v1/runs/${String(items[777]?.['run_id'])}`);
    expect(run['data']?.['params']).toEqual({ n: 777 });
    expect((await api.rowCounts()).runs).toBe(1_000);
  });

  it('gives every item its own outcome: a bad one does not stop the others', async () => {
    const before = await api.rowCounts();
    await api.call('POST', '/api/v1/runs', { json: { ...echo(0), idempotency_key: 'taken' } });
    const { status, body } = await batch([
      echo(1),
      { kind: 'task' },
      { ...echo(0), idempotency_key: 'taken' },
      { ...echo(9), idempotency_key: 'taken' },
      'not a spec',
      { kind: 'task', name: 'unknown.handler' },
      { kind: 'task', name: 'add', params: { a: 1 } },
      { kind: 'task', name: 'echo', params: { text: 'x'.repeat(16 * 1024 * 1024) } },
      { ...echo(2), idempotency_key: 'twice' },
      { ...echo(2), idempotency_key: 'twice' },
      { ...echo(3), colour: 'red' },
      echo(4),
    ]);
    expect(status).toBe(207);
    expect(body['data']).toMatchObject({ accepted: 3, existing: 2, refused: 7 });
    expect(itemsOf(body)).toMatchObject([
      { outcome: 'accepted', status: 'queued' },
      {
        outcome: 'refused',
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'runs[1].name', code: 'required' }],
      },
      { outcome: 'existing' },
      { outcome: 'refused', code: 'CONFLICT', errors: [{ field: 'runs[3].idempotency_key' }] },
      { outcome: 'refused', code: 'VALIDATION_FAILED', errors: [{ field: 'runs[4]' }] },
      {
        outcome: 'refused',
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'runs[5].name', code: 'unknown_handler' }],
      },
      { outcome: 'refused', code: 'VALIDATION_FAILED', errors: [{ field: 'runs[6].params.b' }] },
      { outcome: 'refused', code: 'PAYLOAD_TOO_LARGE', errors: [{ field: 'runs[7].params' }] },
      { outcome: 'accepted' },
      { outcome: 'existing' },
      { outcome: 'refused', errors: [{ field: 'runs[10].colour', code: 'unknown_field' }] },
      { outcome: 'accepted' },
    ]);
    const after = await api.rowCounts();
    // Three of the batch and the one before it.
    expect(after.runs - before.runs).toBe(4);
    expect(after.events - before.events).toBe(4);
  });

  it('passes allow_unknown on to every item', async () => {
    const { status, body } = await batch([{ kind: 'step', name: 'later' }], '?allow_unknown=true');
    expect(status).toBe(202);
    expect(itemsOf(body)[0]).toMatchObject({
      outcome: 'accepted',
      warnings: [expect.stringContaining('step:later')],
    });
  });

  it.each([
    ['no runs', { runs: [] }, 'runs'],
    ['more than 1,000', { runs: Array.from({ length: 1_001 }, () => ({})) }, 'runs'],
    ['no array', { runs: {} }, 'runs'],
    ['a list alone', [echo(1)], 'body'],
    ['another field', { runs: [echo(1)], mode: 'fast' }, 'mode'],
  ])('refuses %s as a whole', async (_name, json, field) => {
    const before = await api.rowCounts();
    const { status, body } = await api.call('POST', '/api/v1/runs/batch', { json });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
    expect(await api.rowCounts()).toEqual(before);
  });

  it('names the item whose text is not acceptable JSON', async () => {
    const before = await api.rowCounts();
    const body =
      '{"runs":[{"kind":"task","name":"echo"},{"kind":"task","name":"echo","params":{"__proto__":1}}]}';
    const answer = await api.call('POST', '/api/v1/runs/batch', { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      errors: [{ field: 'runs[1].params.__proto__', code: 'forbidden_key' }],
    });
    expect(await api.rowCounts()).toEqual(before);
  });
});
