/** What the local executor does beyond the protocol, which test/conformance/executor holds. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HandlerRegistry } from '../registry/registry.ts';
import { taskSpec } from '../spec/work-spec.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import { LocalExecutor } from './local-executor.ts';
import type { ExecutionRef } from './protocol.ts';

type Behaviour = () => unknown;

/** Handlers that behave as their test says. */
function behaving() {
  const behaviours = new Map<string, Behaviour>();
  const registry = new HandlerRegistry().registerTask(
    'it',
    { description: 'Behaves as its test says.', params: z.strictObject({ id: z.string() }) },
    ({ id }) => behaviours.get(id)?.(),
  );
  const spec = (behaviour: Behaviour, options: Partial<WorkSpec> = {}): WorkSpec => {
    const id = String(behaviours.size);
    behaviours.set(id, behaviour);
    return taskSpec('it', { id }, options);
  };
  return { registry, spec };
}

async function accepted(executor: LocalExecutor, spec: WorkSpec): Promise<ExecutionRef> {
  const submission = await executor.submit(spec);
  if (submission.type !== 'accepted') throw new Error(JSON.stringify(submission));
  return submission.ref;
}

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('the local executor', () => {
  it('says so when its queue is full, and a retry is not refused', async () => {
    const { registry, spec } = behaving();
    const executor = new LocalExecutor({ registry, concurrency: 1, queueLimit: 1 });
    const hold = gate();
    let calls = 0;
    const first = await accepted(
      executor,
      spec(
        async () => {
          await hold.opened;
          calls += 1;
          if (calls === 1) throw new Error('again');
        },
        { retryDelaySeconds: 0 },
      ),
    );
    const second = await accepted(
      executor,
      spec(() => 2),
    );
    expect(await executor.submit(spec(() => 3))).toEqual({ type: 'rejected', reason: 'queue_full' });
    hold.open();
    expect(await executor.wait(second)).toMatchObject({ type: 'completed' });
    expect(await executor.wait(first)).toMatchObject({ type: 'completed', run: { attempt: 2 } });
    expect(await executor.submit(spec(() => 3))).toMatchObject({ type: 'accepted' });
    await executor.close();
  });

  it('gives the place of a run that waits for its next attempt to others', async () => {
    const { registry, spec } = behaving();
    const executor = new LocalExecutor({ registry, concurrency: 1 });
    const failing = await accepted(
      executor,
      spec(
        () => {
          throw new Error('later');
        },
        { retryDelaySeconds: 3_600 },
      ),
    );
    const other = await accepted(
      executor,
      spec(() => 'meanwhile'),
    );
    expect(await executor.wait(other)).toMatchObject({ type: 'completed' });
    expect(await executor.status(failing)).toMatchObject({
      status: 'queued',
      attempt: 1,
      error: { message: 'later' },
    });
    expect(executor.waiting).toBe(1);
    await executor.close();
    expect(await executor.status(failing)).toMatchObject({ status: 'cancelled' });
    expect(executor.waiting).toBe(0);
  });

  it('starts nothing before its time, and nothing whose time is over', async () => {
    const { registry, spec } = behaving();
    const executor = new LocalExecutor({ registry, concurrency: 2 });
    const due = Date.now() + 150;
    const later = await accepted(
      executor,
      spec(() => Date.now(), { runAfter: new Date(due) }),
    );
    expect(await executor.status(later)).toMatchObject({ status: 'pending' });
    const gone = await accepted(
      executor,
      spec(() => 1, { expiresAt: new Date(Date.now() - 1) }),
    );
    expect(await executor.wait(gone)).toMatchObject({
      type: 'timed_out',
      run: { attempt: 0 },
      error: { type: 'ExpiredError' },
    });
    const outcome = await executor.wait(later);
    expect(outcome.type === 'completed' && (outcome.result as number) >= due - 1).toBe(true);
    await executor.close();
  });

  it.each([0, 1.5, NaN])('refuses a concurrency of %s', (concurrency) => {
    expect(() => new LocalExecutor({ registry: behaving().registry, concurrency })).toThrow(/at least 1/);
  });
});
