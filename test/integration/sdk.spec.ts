/** The client against a real API and a worker, also over a connection that fails. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { isProblem } from '@spine/sdk';
import type { Progress, RunEvent, SpineClient } from '@spine/sdk';
import { waitFor } from '@spine/testing';
import { randomKey, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { proxyTo, quickClient } from './sdk-support.ts';
import type { Faults, ScriptedServer } from './sdk-support.ts';

const KEY = randomKey();

/** Resolved when a connection was cut. */
let breaks: () => void = () => undefined;
const broken = new Promise<void>((resolve) => (breaks = resolve));

let api: Api;
let client: SpineClient;
let driver: WorkflowDriver;
const proxies: ScriptedServer[] = [];

/** A client behind a connection with these faults. */
async function clientThrough(faults: Faults) {
  const proxy = await proxyTo(api.url, faults);
  proxies.push(proxy);
  return { client: quickClient(proxy.url, { apiKey: KEY }), proxy, faults };
}

beforeAll(async () => {
  const workflows = new WorkflowRegistry().registerFunction('say', ({ word }) => ({ word: word ?? null }));
  api = await startApi({
    keys: [KEY],
    register: (registry) => {
      workflows.registerHandlers(registry);
      registry.registerTask(
        'steps',
        {
          description: 'Two steps; the second when the connection has broken after the first.',
          params: z.strictObject({ waits: z.boolean() }),
        },
        async ({ waits }, ctx) => {
          ctx.progress(0.5, 'half');
          await ctx.event('step', { n: 1 });
          if (waits) await broken;
          await ctx.event('step', { n: 2 });
          return { steps: 2 };
        },
      );
    },
  });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
  client = quickClient(api.url, { apiKey: KEY });
});

afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});
afterAll(async () => {
  await driver.stop();
  await api.close();
});

describe('submitting', () => {
  it('makes one run when the answer is lost', async () => {
    const lossy = await clientThrough({ lose: (_asked, n) => n === 0 });
    const submitted = await lossy.client.runs.submit({ kind: 'task', name: 'echo', correlation_id: 'lost' });
    expect(lossy.proxy.asked).toHaveLength(2);
    expect(submitted.existing).toBe(true);
    const runs = await client.runs.list({ correlation_id: 'lost' }).toArray();
    expect(runs.map(({ run_id }) => run_id)).toEqual([submitted.run_id]);
    expect(runs[0]?.idempotency_key).toBe(submitted.idempotency_key);
  });

  it('makes one batch when the answer is lost, with an outcome for each', async () => {
    const lossy = await clientThrough({ lose: (_asked, n) => n === 0 });
    const echo = { kind: 'task', name: 'echo', correlation_id: 'batch' } as const;
    const { items } = await lossy.client.runs.submitBatch([echo, { ...echo, name: 'nobody' }, echo]);
    expect(items.map(({ outcome }) => outcome)).toEqual(['existing', 'refused', 'existing']);
    expect(await client.runs.list({ correlation_id: 'batch' }).toArray()).toHaveLength(2);
  });

  it('tells what is wrong, by field', async () => {
    const failing = client.runs.submit({ kind: 'task', name: 'echo', lane: 'not a lane' });
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    if (!isProblem(error, 'VALIDATION_FAILED')) throw error;
    expect(error.errors.map(({ field }) => field)).toEqual(['lane']);
    expect(error.requestId).toEqual(expect.any(String));
  });

  it('needs the key', async () => {
    const stranger = quickClient(api.url, { apiKey: randomKey() });
    await expect(stranger.runs.list().first()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
    });
  });
});

describe('waiting', () => {
  it('tells progress and gives the result, over connections that break off', async () => {
    const progress: Progress[] = [];
    const events: RunEvent[] = [];
    const cutting = await clientThrough({
      cutAfter: (text) => {
        const cuts = text.includes('"n":1') && !text.includes('"n":2');
        if (cuts) breaks();
        return cuts;
      },
    });
    const run = await cutting.client.runs.submitAndWait(
      { kind: 'task', name: 'steps', params: { waits: true } },
      { onProgress: (each) => progress.push(each), onEvent: (event) => events.push(event) },
    );
    expect(run).toMatchObject({ status: 'completed', result: { steps: 2 } });
    expect(progress).toEqual([{ fraction: 0.5, message: 'half' }]);
    expect(events.filter(({ event_type }) => event_type === 'step').map(({ data }) => data)).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
    expect(events.at(-1)?.event_type).toBe('completed');
    const streams = cutting.proxy.asked.filter(({ url }) => url.includes('/events/stream'));
    expect(streams.length).toBeGreaterThan(1);
  });

  it('gives a run that failed as it gives one that did not', async () => {
    const run = await client.runs.submitAndWait({
      kind: 'task',
      name: 'fail',
      params: { message: 'on purpose' },
      correlation_id: 'failed',
    });
    expect(run).toMatchObject({ status: 'dead_lettered', error: { message: 'on purpose' } });
    const letters = await client.dlq.list({ handler: 'task:fail' }).toArray();
    expect(letters.map(({ run_id }) => run_id)).toEqual([run.run_id]);
    const again = await client.dlq.replay(letters[0]?.dead_letter_id ?? '');
    expect((await client.runs.wait(again.run_id)).retry_of_run_id).toBe(run.run_id);
  });

  it('looks again and again where events cannot be followed', async () => {
    const deaf = await clientThrough({ lose: ({ url }) => url.includes('/events/stream') });
    const run = await deaf.client.runs.submitAndWait(
      { kind: 'task', name: 'steps', params: { waits: false } },
      { pollMs: 10 },
    );
    expect(run.status).toBe('completed');
  });

  it('ends with its signal, and takes the run with it if told so', async () => {
    const started = new AbortController();
    const ids: string[] = [];
    const waiting = client.runs.submitAndWait(
      { kind: 'task', name: 'sleep', params: { seconds: 60 } },
      {
        signal: started.signal,
        cancelOnAbort: true,
        onSubmitted: ({ run_id }) => ids.push(run_id),
        onEvent: ({ event_type }) => event_type === 'started' && started.abort(new Error('enough')),
      },
    );
    await expect(waiting).rejects.toThrow('enough');
    expect((await client.runs.wait(ids[0] ?? '')).status).toBe('cancelled');
  });

  it('for nothing says so', async () => {
    await expect(client.runs.wait('01912345-6789-7abc-8def-0123456789ab')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

const YAML = `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: sdk.hello }
spec:
  steps:
    - { name: one, kind: lambda, handler: say, params: { word: hello } }
  outputs: { word: '{{ steps.one.output.word }}' }
`;

describe('workflows', () => {
  it('are published, read and run, and a start whose answer is lost is one run', async () => {
    const lossy = await clientThrough({ lose: (_asked, n) => n % 2 === 0 });
    const published = await lossy.client.workflows.publish({ yaml_content: YAML });
    expect(published).toMatchObject({ name: 'sdk.hello', version: 1 });
    const started = await lossy.client.workflows.run('sdk.hello', { wait_seconds: 10 });
    expect(lossy.proxy.asked).toHaveLength(4);
    const run = await client.runs.wait(started.run_id);
    expect(run).toMatchObject({ status: 'completed' });
    expect(await client.workflows.runs('sdk.hello').toArray()).toHaveLength(1);
    expect(await client.workflowRuns.steps(run.run_id).toArray()).toHaveLength(1);
    expect((await client.workflowRuns.history(run.run_id).toArray()).length).toBeGreaterThan(1);
    expect(await client.workflows.yaml('sdk.hello')).toContain('kind: Workflow');
    expect(await client.workflows.draw('sdk.hello')).toContain('one');
    expect((await client.workflows.list().toArray()).map(({ name }) => name)).toEqual(['sdk.hello']);
  });
});

describe('keys', () => {
  it('open what they are for until they are revoked', async () => {
    const made = await client.keys.create({ name: 'reader', scopes: ['read'] });
    const reader = quickClient(api.url, { apiKey: made.key });
    expect((await reader.runs.list().first()).data.length).toBeGreaterThan(0);
    await expect(reader.runs.submit({ kind: 'task', name: 'echo' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect((await client.keys.revoke(made.key_id)).status).toBe('revoked');
    expect((await client.audit.list().toArray()).map(({ status }) => status)).toContain(403);
  });
});

describe('reading', () => {
  it('goes through all pages, newest first, and stops where the reader does', async () => {
    const spec = { kind: 'task', name: 'echo', correlation_id: 'paged' } as const;
    const { items } = await client.runs.submitBatch(Array.from({ length: 5 }, () => spec));
    const ids = items.map((item) => (item.outcome === 'refused' ? '' : item.run_id));
    const list = client.runs.list({ correlation_id: 'paged', limit: 2 });
    expect((await list.toArray()).map(({ run_id }) => run_id)).toEqual(ids.toReversed());
    expect((await list.first()).page).toMatchObject({ total: 5, has_more: true });
    const run = await client.runs.wait(ids[0] ?? '');
    expect((await client.runs.events(run.run_id, { limit: 1 }).toArray()).at(-1)?.event_type).toBe(
      'completed',
    );
  });

  it('follows all runs from now on', async () => {
    const stop = new AbortController();
    const seen: RunEvent[] = [];
    const { client: follower } = await clientThrough({});
    const following = (async () => {
      const stream = follower.events.stream({ types: ['completed'] }, { signal: stop.signal });
      for await (const event of stream) seen.push(event);
    })().catch((error: unknown) => error);
    await waitFor(async () => (await client.events.status()).streams > 0);
    const { run_id } = await client.runs.submitAndWait({ kind: 'task', name: 'echo' });
    await waitFor(() => seen.some((event) => event.run_id === run_id));
    stop.abort(new Error('enough'));
    expect(String(await following)).toContain('enough');
  });

  it('misses nothing when it is cut off before anything came', async () => {
    let away = false;
    const cutting = await clientThrough({ lose: () => away, cutAfter: () => (away = true) });
    const events = cutting.client.events.stream({ types: ['completed'] }, { reconnects: 10_000 });
    const first = events.next();
    // Refused by now, and not by the first connection, which the API let go on.
    await waitFor(() => cutting.proxy.asked.length > 2);
    const { run_id } = await client.runs.submitAndWait({ kind: 'task', name: 'echo' });
    cutting.faults.cutAfter = () => false;
    away = false;
    expect((await first).value?.run_id).toBe(run_id);
    await events.return();
  });

  it('changes a definition only as it was read', async () => {
    const body = {
      name: 'nightly',
      target_type: 'task',
      target_name: 'echo',
      schedule_type: 'cron',
      cron_expression: '0 2 * * *',
    } as const;
    const made = await client.schedules.create(body);
    const ifMatch = made.version;
    const changed = await client.schedules.replace(
      made.schedule_id,
      { ...body, description: 'first' },
      { ifMatch },
    );
    expect(changed.version).toBeGreaterThan(made.version);
    const late = client.schedules.replace(made.schedule_id, { ...body, description: 'second' }, { ifMatch });
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await client.schedules.list().toArray()).map(({ description }) => description)).toEqual([
      'first',
    ]);
    const preview = await client.schedules.preview({ schedule_type: 'cron', cron_expression: '0 2 * * *' });
    expect(preview).toBeDefined();
  });

  it('has every list and figure of the API', async () => {
    const domain = 'finra.otc_transparency';
    const lists = [
      client.triggers.list(),
      client.triggers.webhooks(),
      client.queues.list(),
      client.ledger.assets.list(),
      client.ledger.backfills.list(),
      client.ledger.manifest(),
      client.ledger.quality(),
      client.ledger.watermarks(),
      client.ledger.workItems.list(),
      client.ledger.expectedSchedules.list(),
      client.ledger.anomalies.list(),
      client.ledger.rejects.list(),
      client.ledger.readiness.list(),
      client.limits.list({ limit: 1 }),
      client.breakers.list(),
      client.examples.list(),
      client.playground.list(),
      client.database.tables({ limit: 1 }),
      client.database.indexes(),
      client.database.retention(),
      client.deploy.services(),
      client.data.weeks({ tier: 'OTC' }),
      client.data.history('AAPL', { tier: 'OTC' }),
      client.stats.queues(),
      client.stats.workflows(),
    ];
    for (const list of lists) expect((await list.first()).page.offset).toBe(0);
    expect((await client.functions.list({ limit: 1 }).toArray(3)).length).toBe(3);
    expect((await client.functions.get('task', 'echo')).name).toBe('echo');
    expect((await client.workers.list().toArray()).length).toBe(1);
    expect(await client.ledger.rejects.summary({ domain })).toBeDefined();
    expect((await client.stats.runs()).runs).toBeGreaterThan(0);
    expect(await client.stats.dashboard()).toBeDefined();
    expect((await client.health.live()).status).toBe('ok');
    expect((await client.capabilities()).mode).toBe('keys');
    expect(await client.locks.list()).toEqual([]);
    expect(await client.health.metrics()).toContain('spine_');
    expect((await client.deploy.backends()).map(({ backend }) => backend)).toContain('postgres');
  });

  it('steers breakers and playgrounds, and asks the database', async () => {
    expect(await client.breakers.open('feed', { seconds: 60 })).toMatchObject({ state: 'open' });
    expect(await client.breakers.reset('feed')).toMatchObject({ name: 'feed', state: 'closed' });
    const answer = await client.database.query({ sql: 'SELECT 1 AS one' });
    expect(answer.rows).toEqual([[1]]);
    expect(await client.database.init()).toMatchObject({ dry_run: true });
    const { session_id: id } = await client.playground.create({ workflow: 'sdk.hello' });
    expect(await client.playground.peek(id)).toMatchObject({ type: 'work', unit: 'one' });
    await client.playground.runAll(id);
    expect(await client.playground.context(id)).toMatchObject({ statuses: { one: 'completed' } });
    expect(await client.playground.history(id).toArray()).not.toEqual([]);
    await client.playground.stepBack(id);
    await client.playground.delete(id);
    await expect(client.playground.get(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
