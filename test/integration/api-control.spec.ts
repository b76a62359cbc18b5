/** Pausing and resuming runs and lanes, cancelling many runs, draining a worker: over HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { claimRuns, registerWorker } from '@spine/database';
import { anyNumber, listIn, runWithStatus, startApi, textLike } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(async () => {
  await api.engine.pool.query(`UPDATE lanes SET paused_at = NULL, paused_by = NULL, note = NULL`);
});
afterAll(() => api.close());

let lanes = 0;
const newLane = (): string => `lane-${(lanes += 1)}`;

async function submit(spec: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo', ...spec } });
  expect(answer.status).toBe(202);
  return String(answer.body['data']?.['run_id']);
}

const post = (path: string, json?: unknown): Promise<Answer> =>
  api.call('POST', `/api/v1${path}`, json === undefined ? {} : { json });

async function hold(runIds: readonly string[]): Promise<void> {
  const claimed = await claimRuns(api.engine.pool, runIds, {
    workerId: newId(),
    leaseMs: 60_000,
    handlers: ['task:echo'],
  });
  expect(claimed).toHaveLength(runIds.length);
}

const statusOf = async (runId: string): Promise<string> =>
  String((await api.call('GET', `/api/v1/runs/${runId}`)).body['data']?.['status']);

describe('POST /runs/{id}/pause and /resume', () => {
  it('set a waiting run aside and let it go on, with the reason in its history', async () => {
    const runId = await submit({ lane: newLane() });
    const paused = await post(`/runs/${runId}/pause`, { reason: 'look first' });
    expect(paused).toMatchObject({
      status: 200,
      body: { data: { run_id: runId, status: 'paused', previous_status: 'queued' }, elapsed_ms: anyNumber },
    });
    const events = await api.call('GET', `/api/v1/runs/${runId}/events`);
    expect(listIn(events.body['data']).at(-1)).toMatchObject({
      event_type: 'paused',
      data: { reason: 'look first', from: 'queued' },
    });
    expect(await post(`/runs/${runId}/resume`)).toMatchObject({
      status: 200,
      body: { data: { run_id: runId, status: 'queued' } },
    });
  });

  it('take a running run from its worker without charging the attempt', async () => {
    const runId = await submit({ lane: newLane() });
    await hold([runId]);
    const paused = await post(`/runs/${runId}/pause`);
    expect(paused.body['data']).toMatchObject({ previous_status: 'running' });
    const run = await api.call('GET', `/api/v1/runs/${runId}`);
    expect(run.body['data']).toMatchObject({ status: 'paused', attempt: 0, epoch: 2 });
  });

  it('say why not', async () => {
    const runId = await submit({ lane: newLane() });
    expect(await post(`/runs/${runId}/resume`)).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: `run ${runId} is queued; only a paused run can be resumed` },
    });
    await post(`/runs/${runId}/pause`);
    expect(await post(`/runs/${runId}/pause`)).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: `run ${runId} is paused; it stays so until it is resumed` },
    });
    await post(`/runs/${runId}/cancel`);
    expect(await post(`/runs/${runId}/pause`)).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: textLike(/is cancelled; only a run that has not ended/) },
    });
    for (const id of [newId(), 'not-an-id']) {
      expect(await post(`/runs/${id}/pause`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      expect(await post(`/runs/${id}/resume`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });

  it('refuse bodies that are not theirs', async () => {
    const runId = await submit({ lane: newLane() });
    expect(await post(`/runs/${runId}/pause`, { why: 'x' })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'why', code: 'unknown_field' }] },
    });
    expect(await post(`/runs/${runId}/pause`, { reason: 'x'.repeat(1_001) })).toMatchObject({ status: 400 });
    expect(await post(`/runs/${runId}/resume`, { reason: 'x' })).toMatchObject({ status: 400 });
    expect(await statusOf(runId)).toBe('queued');
  });

  it('leave a completed run as it is', async () => {
    const lane = 'default';
    await api.startWorker();
    const runId = await submit({ lane });
    await runWithStatus(api, runId, 'completed');
    expect(await post(`/runs/${runId}/pause`)).toMatchObject({
      status: 409,
      body: { code: 'ALREADY_COMPLETE' },
    });
  });
});

describe('POST /runs/cancel', () => {
  const outcomes = (answer: Answer): Json[] => [...listIn(answer.body['data']?.['items'])];

  it('cancels what matches and has not ended, whatever its state, and tells of each', async () => {
    const lane = newLane();
    const [waiting, running, paused, over] = [
      await submit({ lane }),
      await submit({ lane }),
      await submit({ lane }),
      await submit({ lane }),
    ];
    const elsewhere = await submit({ lane: newLane() });
    await hold([running]);
    await post(`/runs/${paused}/pause`);
    await post(`/runs/${over}/cancel`);
    const answer = await post('/runs/cancel', { filter: { lane }, reason: 'wrong week' });
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { dry_run: false, matched: 3, matched_is_capped: false, cancelled: 3, descendants: 0 } },
    });
    expect(outcomes(answer)).toEqual(
      [
        { run_id: waiting, outcome: 'cancelled', status: 'queued', descendants: 0 },
        { run_id: running, outcome: 'cancelled', status: 'running', descendants: 0 },
        { run_id: paused, outcome: 'cancelled', status: 'paused', descendants: 0 },
      ].sort((a, b) => (a.run_id < b.run_id ? -1 : 1)),
    );
    for (const runId of [waiting, running, paused]) expect(await statusOf(runId)).toBe('cancelled');
    expect(await statusOf(elsewhere)).toBe('queued');
    const events = await api.call('GET', `/api/v1/runs/${waiting}/events`);
    expect(listIn(events.body['data']).at(-1)).toMatchObject({
      event_type: 'cancelled',
      data: { reason: 'wrong week' },
    });
  });

  it('changes nothing in a dry run, and says what would be', async () => {
    const lane = newLane();
    const runIds = [await submit({ lane }), await submit({ lane })].sort();
    const answer = await post('/runs/cancel', { filter: { lane }, dry_run: true });
    expect(answer.body['data']).toMatchObject({ dry_run: true, matched: 2, cancelled: 0 });
    expect(outcomes(answer)).toEqual(
      runIds.map((run_id) => ({ run_id, outcome: 'would_cancel', status: null, descendants: 0 })),
    );
    for (const runId of runIds) expect(await statusOf(runId)).toBe('queued');
  });

  it('takes what the runs have started with them, once', async () => {
    const lane = newLane();
    const parent = await submit({ lane, tags: ['t'] });
    const child = await submit({ lane, parent_run_id: parent });
    const grandchild = await submit({ lane, parent_run_id: child });
    const other = await submit({ lane, tags: ['t'] });
    const answer = await post('/runs/cancel', { filter: { lane, tag: 't' } });
    expect(answer.body['data']).toMatchObject({ matched: 2, cancelled: 2, descendants: 2 });
    expect(outcomes(answer).find((item) => String(item['run_id']) === parent)).toMatchObject({
      descendants: 2,
    });
    for (const runId of [parent, child, grandchild, other]) expect(await statusOf(runId)).toBe('cancelled');
  });

  it('does a parent and its child that both match in one go', async () => {
    const lane = newLane();
    const parent = await submit({ lane });
    await submit({ lane, parent_run_id: parent });
    const answer = await post('/runs/cancel', { filter: { lane } });
    expect(answer.body['data']).toMatchObject({ matched: 2, cancelled: 2, descendants: 0 });
  });

  it.each([
    ['status', { status: ['paused'] }],
    ['name', { name: 'add' }],
    ['correlation_id', { correlation_id: 'c-1' }],
    ['since', { since: '2090-01-01T00:00:00Z' }],
    ['until', { until: '2000-01-01T00:00:00Z' }],
  ])('filters by %s', async (_, filter) => {
    const lane = newLane();
    const runId = await submit({ lane });
    const answer = await post('/runs/cancel', { filter: { lane, ...filter } });
    expect(answer.body['data']).toMatchObject({ matched: 0, cancelled: 0, items: [] });
    expect(await statusOf(runId)).toBe('queued');
  });

  it('goes on where a limit stopped it', async () => {
    const lane = newLane();
    for (let count = 0; count < 5; count += 1) await submit({ lane });
    const counts: unknown[] = [];
    for (let call = 0; call < 3; call += 1) {
      const { body } = await post('/runs/cancel', { filter: { lane }, limit: 2 });
      counts.push([body['data']?.['matched'], body['data']?.['cancelled']]);
    }
    expect(counts).toEqual([
      [5, 2],
      [3, 2],
      [1, 1],
    ]);
  });

  it('asks for a filter, and refuses what is none', async () => {
    const refused = async (json: unknown, field: string): Promise<void> => {
      const answer = await post('/runs/cancel', json);
      expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
      expect(listIn(answer.body['errors']).map((error) => String(error['field']))).toContain(field);
    };
    await refused({}, 'filter');
    await refused({ filter: { status: ['completed'] } }, 'filter.status[0]');
    await refused({ filter: { stat: 'queued' } }, 'filter.stat');
    await refused({ filter: {}, limit: 1_001 }, 'limit');
    await refused({ filter: {}, limit: 0 }, 'limit');
    await refused({ filter: { since: 'yesterday' } }, 'filter.since');
    await refused({ filter: { lane: 'No Lane' } }, 'filter.lane');
  });
});

describe('POST /queues/{lane}/pause and /resume', () => {
  it('hold a lane and let it go on, and GET /queues tells who held it and why', async () => {
    await api.startWorker();
    const paused = await post('/queues/slow/pause', { by: 'ops', note: 'maintenance' });
    expect(paused).toMatchObject({
      status: 200,
      body: { data: { lane: 'slow', paused: true, paused_by: 'ops', note: 'maintenance' }, warnings: [] },
    });
    const runId = await submit({ lane: 'slow' });
    const queues = await api.call('GET', '/api/v1/queues');
    expect(listIn(queues.body['data']).find((queue) => String(queue['lane']) === 'slow')).toMatchObject({
      waiting: 1,
      paused: { by: 'ops', note: 'maintenance' },
    });
    expect(await statusOf(runId)).toBe('queued');
    expect(await post('/queues/slow/resume')).toMatchObject({
      status: 200,
      body: { data: { lane: 'slow', paused: false } },
    });
    await runWithStatus(api, runId, 'completed');
  });

  it('say why not, and who was first', async () => {
    const lane = newLane();
    expect(await post(`/queues/${lane}/resume`)).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: `lane ${lane} is not paused` },
    });
    await post(`/queues/${lane}/pause`, { by: 'first' });
    expect(await post(`/queues/${lane}/pause`, { by: 'second' })).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: textLike(/is already paused by first since \d{4}-/) },
    });
  });

  it('warn of a lane that nobody serves', async () => {
    const lane = newLane();
    const { body } = await post(`/queues/${lane}/pause`);
    expect(listIn(body['warnings']).map(String)).toEqual([
      `no live worker serves lane ${lane}; the pause holds all the same`,
    ]);
  });

  it('refuse names and bodies out of form', async () => {
    for (const lane of ['No%20Lane', '..%2F', 'a'.repeat(64), "x';--"]) {
      expect(await post(`/queues/${lane}/pause`)).toMatchObject({
        status: 400,
        body: { errors: [{ field: 'lane', code: 'invalid_format' }] },
      });
    }
    expect(await post('/queues/slow/pause', { who: 'me' })).toMatchObject({ status: 400 });
    expect(await post('/queues/slow/pause', { by: '' })).toMatchObject({ status: 400 });
  });
});

describe('POST /workers/{id}/drain', () => {
  it('asks a live worker, once', async () => {
    const worker = await api.startWorker();
    const answer = await post(`/workers/${worker.workerId}/drain`);
    expect(answer).toMatchObject({
      status: 202,
      body: { data: { worker_id: worker.workerId, drain_requested_at: textLike(/Z$/) } },
    });
    expect(await post(`/workers/${worker.workerId}/drain`)).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: textLike(/is stopping already/) },
    });
    await worker.stop(0);
    expect(await post(`/workers/${worker.workerId}/drain`)).toMatchObject({
      status: 409,
      body: { detail: textLike(/has stopped/) },
    });
  });

  it('says of a silent one since when, and does not know others', async () => {
    const { pool } = api.engine;
    const workerId = newId();
    const gone = {
      workerId,
      hostname: 'h',
      pid: 1,
      version: '0',
      lanes: ['default'],
      handlers: [],
      slots: 1,
    };
    await registerWorker(pool, gone);
    await pool.query({
      text: `UPDATE workers SET last_seen_at = now() - interval '5 minutes' WHERE id = $1`,
      values: [workerId],
    });
    expect(await post(`/workers/${workerId}/drain`)).toMatchObject({
      status: 409,
      body: { detail: textLike(/has not been heard of since/) },
    });
    expect(await post(`/workers/${newId()}/drain`)).toMatchObject({ status: 404 });
    expect(await post('/workers/x/drain')).toMatchObject({ status: 404 });
  });
});
