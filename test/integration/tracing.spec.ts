/** From a request to its handler: spans as a collector receives them. */
import { trace } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadSettings } from '@spine/config';
import { Worker } from '@spine/execution';
import { createLogger, isTracing, Metrics, silentLogger, startTracing } from '@spine/observability';
import type { RunningTracing } from '@spine/observability';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { tradingCalendars } from '@spine/reference-calendar';
import { tick } from '@spine/scheduling';
import { waitFor } from '@spine/testing';
import { startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { startOtlpReceiver } from './otlp-receiver.ts';
import type { OtlpReceiver, ReceivedSpan } from './otlp-receiver.ts';

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const TRACEPARENT = `00-${CALLER.traceId}-${CALLER.spanId}-01`;

const workflows = new WorkflowRegistry()
  .registerFunction('pass', (params) => params)
  .registerWorkflow({ name: 'traced', steps: [{ kind: 'lambda', name: 'only', handler: 'pass' }] });

let receiver: OtlpReceiver;
let api: Api;
let driver: WorkflowDriver;
let tracing: RunningTracing | null = null;
let metrics: Metrics;
const logged: string[] = [];

function tracingSettings(env: Record<string, string> = {}) {
  const { tracing: choice } = loadSettings(
    {
      SPINE_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
      OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-token=abc%20def',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      ...env,
    },
    { role: 'worker' },
  );
  return choice;
}

async function begin(env: Record<string, string> = {}): Promise<RunningTracing> {
  metrics = new Metrics('test');
  tracing = await startTracing(tracingSettings(env), { service: 'test', logger: silentLogger(), metrics });
  return tracing;
}

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  api = await startApi({
    logger: createLogger({
      service: 'test',
      level: 'info',
      destination: { write: (line) => void logged.push(line) },
    }),
    register: (registry) => {
      workflows.registerHandlers(registry);
      registry.registerTask(
        'nests',
        { description: 'Traces by itself.', params: z.strictObject({}) },
        async (_params, ctx) => {
          ctx.log.info('within');
          const inner = trace.getTracer('user').startSpan('users own');
          inner.end();
          await ctx.submit({ kind: 'task', name: 'echo', params: {} });
          return { traceparent: ctx.traceparent };
        },
      );
      registry.registerTask(
        'fails_once',
        { description: 'Its first attempt fails.', params: z.strictObject({}) },
        (_params, ctx) => {
          if (ctx.run.attempt === 1) throw new RangeError('the secret number is 42');
          return null;
        },
      );
    },
  });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
});
afterEach(async () => {
  await tracing?.stop();
  receiver.answer(200);
  receiver.spans.length = 0;
  receiver.requests.length = 0;
});
afterAll(async () => {
  await driver.stop();
  await api.close();
  await receiver.close();
});

async function submit(body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<string> {
  const answer = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', ...body }, headers });
  expect(answer.status, answer.text).toBe(202);
  return String(answer.body['data']?.['run_id']);
}

/** Spans once they are all there: each was ended, sent and received. */
async function received(count: number, of: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan[]> {
  let spans: ReceivedSpan[] = [];
  await waitFor(
    async () => {
      await tracing?.flush();
      spans = receiver.spans.filter(of);
      return spans.length >= count;
    },
    { message: () => `${count} spans; there are ${JSON.stringify(receiver.spans, null, 1)}` },
  );
  return spans;
}

const named =
  (name: string) =>
  (span: ReceivedSpan): boolean =>
    span.name === name;

describe('a run that is submitted over HTTP', () => {
  it('is one trace, from the caller by request, submit, hint and claim to the attempt and what it starts', async () => {
    await begin();
    logged.length = 0;
    const runId = await submit({ name: 'nests' }, { traceparent: TRACEPARENT });
    const attempts = await received(2, ({ name }) => name.startsWith('attempt '));
    const all = await received(9, ({ traceId }) => traceId === CALLER.traceId);

    const one = (name: string, under?: ReceivedSpan): ReceivedSpan => {
      const found = all.find(
        (span) => span.name === name && (under === undefined || span.parentSpanId === under.spanId),
      );
      if (found === undefined) throw new Error(`no span ${name}: ${JSON.stringify(all, null, 1)}`);
      return found;
    };
    const request = one('POST /api/v1/runs');
    expect(request).toMatchObject({
      parentSpanId: CALLER.spanId,
      service: 'spine-test',
      resource: { 'deployment.environment.name': 'test', 'service.namespace': 'spine' },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/api/v1/runs',
        'http.response.status_code': 202,
      },
    });
    const submitted = one('submit', request);
    expect(submitted.attributes).toMatchObject({ 'spine.run_id': runId, 'spine.outcome': 'accepted' });
    one('publish hints', submitted);
    const claim = one('claim', submitted);
    const attempt = one('attempt task:nests', submitted);
    expect(attempt).toMatchObject({
      links: [claim.spanId],
      failed: false,
      attributes: { 'spine.run_id': runId, 'spine.attempt': 1, 'spine.outcome': 'completed' },
    });
    one('users own', attempt);
    const child = one('attempt task:echo', one('submit', attempt));
    expect(attempts.map(({ spanId }) => spanId).sort()).toEqual([attempt.spanId, child.spanId].sort());

    const run = await api.call('GET', `/api/v1/runs/${runId}`);
    expect(run.body['data']?.['result']).toEqual({
      traceparent: `00-${CALLER.traceId}-${attempt.spanId}-01`,
    });
    const line = logged
      .map((text) => JSON.parse(text) as Record<string, unknown>)
      .find(({ msg }) => msg === 'within');
    expect(line).toMatchObject({ trace_id: CALLER.traceId, span_id: attempt.spanId, run_id: runId });
    // What is known of every line is no field of the run's own log.
    const log = await api.call('GET', `/api/v1/runs/${runId}/logs`);
    expect(log.text).toContain('within');
    expect(log.text).not.toContain(CALLER.traceId);
    expect(receiver.requests[0]).toMatchObject({ path: '/v1/traces', headers: { 'x-token': 'abc def' } });
  });

  it('has a span for each attempt, with the kind of its error and not its message', async () => {
    await begin();
    await submit({ name: 'fails_once', retry_delay_seconds: 0 });
    const [first, second] = await received(2, named('attempt task:fails_once'));
    expect(first).toMatchObject({
      failed: true,
      attributes: { 'spine.attempt': 1, 'spine.outcome': 'retry', 'error.type': 'RangeError' },
    });
    expect(first?.attributes['spine.error.category']).toBeDefined();
    expect(second).toMatchObject({ failed: false, attributes: { 'spine.attempt': 2 } });
    const [request] = await received(1, named('POST /api/v1/runs'));
    expect([first, second].map((span) => span?.traceId)).toEqual([request?.traceId, request?.traceId]);
    expect(second?.parentSpanId).toBe(first?.parentSpanId);
    expect(JSON.stringify(receiver.spans)).not.toContain('secret number');
  });

  it('keeps its trace when nothing but its row is left of the submit', async () => {
    await begin();
    await submit({ name: 'echo', lane: 'later' });
    const [request] = await received(1, named('POST /api/v1/runs'));
    await tracing?.stop();
    // As another process would, later.
    await begin();
    const worker = new Worker({ ...api.engine, lanes: ['later'], pollMs: 50, eagerStart: false });
    await worker.start();
    const [attempt] = await received(1, named('attempt task:echo'));
    expect(attempt?.traceId).toBe(request?.traceId);
    await worker.stop();
  });

  it('shares the trace and its hint with those it was submitted with', async () => {
    await begin();
    const runs = Array.from({ length: 3 }, () => ({ kind: 'task', name: 'echo' }));
    const answer = await api.call('POST', '/api/v1/runs/batch', { json: { runs } });
    expect(answer.status, answer.text).toBeLessThan(300);
    const attempts = await received(3, named('attempt task:echo'));
    const submits = await received(3, named('submit'));
    const [publish] = await received(1, named('publish hints'));
    const ids = submits.map(({ spanId }) => spanId).sort();
    expect(attempts.map(({ parentSpanId }) => parentSpanId).sort()).toEqual(ids);
    expect([publish?.parentSpanId, ...(publish?.links ?? [])].sort()).toEqual(ids);
    expect(new Set([...attempts, ...submits, publish].map((span) => span?.traceId)).size).toBe(1);
  });
});

describe('a workflow', () => {
  it('has its advances beside its steps, under what submitted it, and says its trace', async () => {
    await begin();
    const runId = await submit({ kind: 'workflow', name: 'traced' }, { traceparent: TRACEPARENT });
    const isEnd = (span: ReceivedSpan): boolean =>
      span.name === 'advance workflow:traced' && span.attributes['spine.outcome'] === 'ended';
    await received(1, isEnd);
    const [submitted] = await received(1, named('submit'));
    const advances = await received(1, named('advance workflow:traced'));
    for (const advance of advances) {
      expect(advance).toMatchObject({
        traceId: CALLER.traceId,
        parentSpanId: submitted?.spanId,
        failed: false,
        attributes: { 'spine.run_id': runId, 'spine.handler': 'workflow:traced', 'spine.workflows': 1 },
      });
    }
    const steps = receiver.spans.filter(({ name }) => name.startsWith('attempt step:'));
    expect(steps.map(({ parentSpanId }) => parentSpanId)).toEqual([submitted?.spanId]);
    const { body } = await api.call('GET', `/api/v1/runs/${runId}`);
    expect(body['data']).toMatchObject({ trace_id: CALLER.traceId });
  });
});

describe('a tick of the scheduler', () => {
  it('is a trace with what it starts; one that finds nothing due is none', async () => {
    const made = await api.call('POST', '/api/v1/schedules', {
      json: {
        name: 'traced',
        target_type: 'task',
        target_name: 'echo',
        schedule_type: 'interval',
        interval_seconds: 3_600,
      },
    });
    expect(made.status, made.text).toBe(201);
    await begin();
    const round = () => tick({ ...api.engine, calendars: tradingCalendars(), by: 'test' });
    expect((await round()).now).toBeNull();
    await api.engine.pool.query(
      `UPDATE schedules SET next_fire_at = date_trunc('milliseconds', now()) - interval '1 minute'`,
    );
    const { decisions } = await round();
    const runId = decisions[0]?.runId ?? '';
    await received(1, named('attempt task:echo'));
    const ticks = await received(1, named('tick schedules'));
    expect(ticks).toMatchObject([
      { parentSpanId: null, attributes: { 'spine.schedules': 1, 'spine.runs': 1, 'spine.broken': 0 } },
    ]);
    const [span] = ticks;
    const { body } = await api.call('GET', `/api/v1/runs/${runId}`);
    expect(body['data']).toMatchObject({ trace_id: span?.traceId, trigger_source: 'schedule' });
    expect(receiver.spans.find(named('attempt task:echo'))).toMatchObject({
      traceId: span?.traceId,
      parentSpanId: span?.spanId,
    });
  });

  it('that fails says so', async () => {
    await begin();
    await api.engine.pool.query(
      `UPDATE schedules SET next_fire_at = date_trunc('milliseconds', now()) - interval '1 minute'`,
    );
    const failing: typeof api.engine.payloads = Object.create(api.engine.payloads, {
      stow: { value: () => Promise.reject(new RangeError('the secret number is 42')) },
    }) as typeof api.engine.payloads;
    await expect(
      tick({ ...api.engine, payloads: failing, calendars: tradingCalendars(), by: 'test' }),
    ).rejects.toThrow('secret');
    const [span] = await received(1, named('tick schedules'));
    expect(span).toMatchObject({ failed: true, attributes: { 'error.type': 'RangeError' } });
    expect(JSON.stringify(receiver.spans)).not.toContain('secret number');
  });
});

describe('a request', () => {
  it('is named by its route, whatever its path and headers say', async () => {
    await begin();
    const runId = '01890a5d-ac96-774b-bcce-b302099a8057';
    await api.call('GET', `/api/v1/runs/${runId}?canary=1`, {
      headers: { traceparent: '00-not-a-trace-01' },
    });
    await api.call('GET', '/nowhere/canary');
    await api.call('GET', '/health/live');
    const spans = await received(2, ({ name }) => name.startsWith('GET '));
    expect(spans.map(({ name }) => name).sort()).toEqual(['GET /api/v1/runs/:run_id', 'GET unknown']);
    expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([null, null]);
    expect(JSON.stringify(receiver.spans)).not.toMatch(new RegExp(`canary|${runId}|not-a-trace`));
  });
});

describe('a request that is refused', () => {
  it('has a span and is counted by why', async () => {
    await begin();
    const url = '/api/v1/runs';
    const answer = await api.app.fastify.inject({ method: 'GET', url, headers: { host: 'evil.example' } });
    expect(answer.statusCode).toBe(403);
    const [span] = await received(1, named('GET /api/v1/runs'));
    expect(span).toMatchObject({ failed: false, attributes: { 'http.response.status_code': 403 } });
    const { values } = await api.engine.metrics.httpRefusals.get();
    expect(values).toMatchObject([{ labels: { reason: 'forbidden' }, value: 1 }]);
  });
});

describe('which traces are recorded', () => {
  it('is what the caller has decided, where the sampler is parent based', async () => {
    await begin();
    await submit({ name: 'echo' }, { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-00` });
    await api.call('GET', '/api/v1/runs?limit=1');
    await received(1, named('GET /api/v1/runs'));
    await waitFor(async () => {
      const { rows } = await api.engine.pool.query<{ trace: string | null }>(
        `SELECT trace_context AS trace FROM runs WHERE trace_context LIKE '%-00' AND status = 'completed'`,
      );
      return rows[0]?.trace?.startsWith(`00-${CALLER.traceId}-`) === true;
    });
    await tracing?.flush();
    expect(receiver.spans.map(({ traceId }) => traceId)).not.toContain(CALLER.traceId);
  });

  it('is none of them with always_off', async () => {
    await begin({ OTEL_TRACES_SAMPLER: 'always_off' });
    await submit({ name: 'echo' }, { traceparent: TRACEPARENT });
    await tracing?.stop();
    expect(receiver.spans).toEqual([]);
  });
});

describe('off', () => {
  it('stores no context and sends nothing, without an endpoint and when it is disabled', async () => {
    for (const env of [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, { OTEL_SDK_DISABLED: 'true' }]) {
      await begin(env);
      expect(isTracing()).toBe(false);
      const runId = await submit({ name: 'echo' }, { traceparent: TRACEPARENT });
      const { rows } = await api.engine.pool.query('SELECT trace_context FROM runs WHERE id = $1', [runId]);
      expect(rows).toEqual([{ trace_context: null }]);
      const { body } = await api.call('GET', `/api/v1/runs/${runId}`);
      expect(body['data']).toMatchObject({ trace_id: null });
    }
    expect(receiver.requests).toEqual([]);
  });
});

describe('a collector that is away', () => {
  it('keeps no work from its end; what it refuses is counted', async () => {
    await begin();
    receiver.answer(400);
    await submit({ name: 'echo' });
    const outcomes = async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        (await metrics.traceSpans.get()).values.map(({ labels, value }) => [String(labels.outcome), value]),
      );
    await waitFor(async () => {
      await tracing?.flush();
      return ((await outcomes())['failed'] ?? 0) >= 4;
    });
    receiver.answer(200);
    await api.call('GET', '/api/v1/runs?limit=1');
    await received(1, named('GET /api/v1/runs'));
    const { ended = 0, exported = 0, failed = 0 } = await outcomes();
    expect(ended).toBe(exported + failed);
    expect(exported).toBe(receiver.spans.length);
  });

  it('is not waited for at the end', async () => {
    const running = await begin({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
    await api.call('GET', '/api/v1/runs?limit=1');
    await running.stop(50);
    expect(isTracing()).toBe(false);
  });
});
