/** What becomes of a submission and of the work. */
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ExecutionOutcome, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { linesOf } from './executor-files.ts';
import type { Suite } from './executor.spec.ts';
import type { Traits } from './executors.ts';

const LONG = { timeoutMs: 20_000 };

export function describeOutcomes({ opened, newFile, spec }: Suite, traits: Traits): void {
  const outcomeOf = async (work: WorkSpec): Promise<ExecutionOutcome> => {
    const { executor, begin } = opened();
    return executor.wait(await begin(work), LONG);
  };

  /** Every place is taken at once, so that each has a thread that waits for more. */
  const startThreads = async (): Promise<void> => {
    const [file, release] = [newFile(), newFile()];
    const together = traits.concurrency ?? 1;
    const names = Array.from({ length: together }, (_, place) => String(place));
    const meetings = names.map((name) => outcomeOf(spec('meet', { file, name, together, release })));
    for (const met of await Promise.all(meetings)) expect(met).toMatchObject({ type: 'completed' });
  };

  describe('a submission', () => {
    it('is refused with the field when params do not fit, and nothing runs', async () => {
      const file = newFile();
      expect(await opened().executor.submit(spec('note', { file, text: 7, more: 1 }))).toMatchObject({
        type: 'invalid',
        issues: [{ field: 'params.text' }, { field: 'params.more', code: 'unknown_field' }],
      });
      expect(existsSync(file)).toBe(false);
    });

    it('is refused with the field when params hold what no store takes', async () => {
      expect(await opened().executor.submit(spec('answer', { text: 'a\0b' }))).toMatchObject({
        type: 'invalid',
        issues: [{ field: 'params.text' }],
      });
    });

    it('of a handler nobody knows is told so', async () => {
      expect(await opened().executor.submit(spec('nobody'))).toEqual({
        type: 'unknown_handler',
        handler: 'task:nobody',
      });
    });

    it('with a known idempotency key is the run that was there, or a conflict', async () => {
      const { executor, begin } = opened();
      const file = newFile();
      const work = spec('note', { file, text: 'once' }, { idempotencyKey: file });
      const ref = await begin(work);
      expect(await executor.submit(work)).toEqual({ type: 'existing', ref });
      await executor.wait(ref, LONG);
      expect(await executor.submit(work)).toEqual({ type: 'existing', ref });
      const other = spec('note', { file, text: 'twice' }, { idempotencyKey: file });
      expect(await executor.submit(other)).toEqual({ type: 'conflict', ref });
      expect(linesOf(file)).toEqual(['once']);
    });
  });

  describe('work', () => {
    it('completes with its result, and its status says the same', async () => {
      const params = { text: 'ä "quoted" 😀', list: [1, 2.5, null], deep: { yes: true } };
      const outcome = await outcomeOf(spec('answer', params, { correlationId: 'batch-7' }));
      expect(outcome).toMatchObject({
        type: 'completed',
        result: params,
        run: { status: 'completed', attempt: 1, error: null, correlationId: 'batch-7', name: 'answer' },
      });
      if (outcome.type !== 'completed') return;
      expect(outcome.run.completedAt).toBeInstanceOf(Date);
      expect(await opened().executor.status(outcome.run)).toMatchObject({
        status: 'completed',
        result: params,
      });
    });

    it('completes without a result', async () => {
      expect(await outcomeOf(spec('nothing'))).toMatchObject({ type: 'completed', result: null });
    });

    it('that fails for good is not tried again, and keeps category and message', async () => {
      const error = { message: 'no such symbol', category: 'SOURCE', retryable: false };
      expect(await outcomeOf(spec('fails', error))).toMatchObject({
        type: 'failed',
        error,
        run: { attempt: 1, maxAttempts: 4 },
      });
    });

    it('that fails for a while is tried again until it completes', async () => {
      const file = newFile();
      expect(await outcomeOf(spec('flaky', { file, failures: 2 }))).toMatchObject({
        type: 'completed',
        result: { attempts: 3 },
        run: { attempt: 3 },
      });
      expect(linesOf(file)).toEqual(['1', '2', '3']);
    });

    it('that goes on failing is tried as often as the spec says', async () => {
      expect(
        await outcomeOf(
          spec('fails', { message: 'down', category: 'NETWORK', retryable: true }, { maxRetries: 1 }),
        ),
      ).toMatchObject({ type: 'failed', error: { category: 'NETWORK' }, run: { attempt: 2 } });
    });

    it('obeys the retry policy of its spec', async () => {
      const error = { message: 'busy', category: 'NETWORK', retryable: true };
      const retry = { rules: [{ category: 'NETWORK', retry: false }] } as const;
      expect(await outcomeOf(spec('fails', error, { retry }))).toMatchObject({
        type: 'failed',
        run: { attempt: 1 },
      });
    });

    it('that throws what is no error of Spine is told as it is', async () => {
      expect(await outcomeOf(spec('failPlain', { message: 'boom' }, { maxRetries: 0 }))).toMatchObject({
        type: 'failed',
        error: { message: 'boom', type: 'RangeError', category: 'UNKNOWN', retryable: true },
      });
    });

    it('that puts itself off starts again, no attempt charged', async () => {
      const file = newFile();
      expect(await outcomeOf(spec('putsOff', { file }, { maxRetries: 0 }))).toMatchObject({
        type: 'completed',
        result: { attempt: 1 },
      });
      expect(linesOf(file)).toHaveLength(2);
    });

    it('whose result cannot be stored fails for good', async () => {
      expect(await outcomeOf(spec('unstorable'))).toMatchObject({
        type: 'failed',
        error: { category: 'VALIDATION', retryable: false },
        run: { attempt: 1 },
      });
    });

    it('may report progress, events and log lines', async () => {
      expect(await outcomeOf(spec('report'))).toMatchObject({ type: 'completed' });
    });

    it('fails when an event it reports is out of form', async () => {
      expect(await outcomeOf(spec('misreport', {}, { maxRetries: 0 }))).toMatchObject({
        type: 'failed',
        error: { category: 'VALIDATION' },
      });
    });
  });

  describe('a time-out', () => {
    const brief = { timeoutSeconds: 0.2, maxRetries: 0 } as const;

    it('ends work that obeys its signal', async () => {
      const file = newFile();
      expect(await outcomeOf(spec('hold', { file }, brief))).toMatchObject({
        type: 'timed_out',
        error: { category: 'TIMEOUT', type: 'TimeoutError' },
        run: { attempt: 1 },
      });
      if (traits.inThisProcess) await waitFor(() => linesOf(file).includes('aborted'));
    });

    it('is retryable', async () => {
      const file = newFile();
      // Else a thread would have to start and to load its code within the time.
      if (!traits.inThisProcess) await startThreads();
      const timeoutSeconds = traits.inThisProcess ? 0.2 : 1.5;
      expect(await outcomeOf(spec('hold', { file }, { timeoutSeconds, maxRetries: 1 }))).toMatchObject({
        type: 'timed_out',
        run: { attempt: 2 },
      });
      expect(linesOf(file).filter((line) => line === 'holds')).toHaveLength(2);
    });

    it('ends work that ignores its signal, whose late result changes nothing', async () => {
      const [file, release] = [newFile(), newFile()];
      const outcome = await outcomeOf(spec('stubborn', { file, release }, brief));
      expect(outcome).toMatchObject({ type: 'timed_out' });
      writeFileSync(release, '');
      if (traits.inThisProcess) await waitFor(() => linesOf(file).includes('late'));
      const after = outcome.type === 'not_found' ? null : await opened().executor.status(outcome.run);
      expect(after).toMatchObject({ result: null, error: { category: 'TIMEOUT' } });
    });

    it('of the whole run ends it, whatever its attempts allow', async () => {
      expect(
        await outcomeOf(
          spec('hold', { file: newFile() }, { deadlineSeconds: brief.timeoutSeconds, maxRetries: 5 }),
        ),
      ).toMatchObject({ type: 'timed_out', error: { retryable: false }, run: { attempt: 1 } });
    });
  });

  it('many runs all end, each with its own result', async () => {
    const { executor, begin } = opened();
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    const refs = await Promise.all(numbers.map((n) => begin(spec('square', { n }))));
    const outcomes = await Promise.all(refs.map((ref) => executor.wait(ref, LONG)));
    expect(outcomes.map((outcome) => (outcome.type === 'completed' ? outcome.result : outcome))).toEqual(
      numbers.map((n) => ({ square: n * n })),
    );
  });
}
