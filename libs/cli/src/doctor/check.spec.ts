import { describe, expect, it } from 'vitest';
import { runChecks } from './check.ts';
import type { Check, CheckOptions } from './check.ts';
import { findingsOf, worstOf } from './finding.ts';
import { scrubber } from './scrub.ts';

const { ok } = findingsOf('database');
const fine: Check = {
  name: 'a good one',
  subject: 'database',
  run: () => Promise.resolve([ok('database_version', { message: 'good', measured: {} })]),
};

function options(more: Partial<CheckOptions> = {}): CheckOptions {
  return { timeoutMs: 10_000, signal: new AbortController().signal, clean: (text) => text, ...more };
}

describe('checks', () => {
  it('that break are findings, and take no other with them', async () => {
    const breaks: Check = {
      name: 'rights',
      subject: 'redis',
      run: () => Promise.reject(new Error('permission denied for hunter2')),
    };
    const found = await runChecks([breaks, fine], options({ clean: scrubber(['hunter2']) }));
    expect(found).toEqual([
      expect.objectContaining({
        id: 'check_failed',
        subject: 'redis',
        severity: 'error',
        message: 'rights could not be looked at: permission denied for [REDACTED]',
        measured: { check: 'rights', reason: 'permission denied for [REDACTED]' },
      }),
      expect.objectContaining({ id: 'database_version', severity: 'ok' }),
    ]);
    expect(worstOf(found)).toBe('error');
  });

  it('that hang are given up, and are told so', async () => {
    let told: AbortSignal | undefined;
    const hangs: Check = {
      name: 'load',
      subject: 'database',
      run: (signal) => {
        told = signal;
        return new Promise(() => undefined);
      },
    };
    const [late, good] = await runChecks([hangs, fine], options({ timeoutMs: 20 }));
    expect(late?.message).toBe('load could not be looked at: no answer within 20 ms');
    expect(good?.severity).toBe('ok');
    expect(told?.aborted).toBe(true);
  });

  it('end with Ctrl-C', async () => {
    const stop = new AbortController();
    const hangs: Check = { name: 'load', subject: 'database', run: () => new Promise(() => undefined) };
    const ended = runChecks([hangs], options({ signal: stop.signal }));
    stop.abort(new Error('interrupted'));
    await expect(ended).rejects.toThrow('interrupted');
  });
});

describe('the scrubber', () => {
  it('takes out every secret wherever it stands, the longer one first', () => {
    const clean = scrubber(['abc', 'abcdef', '']);
    expect(clean('x abcdef y abc z')).toBe('x [REDACTED] y [REDACTED] z');
  });
});
