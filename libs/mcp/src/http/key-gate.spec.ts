import { describe, expect, it } from 'vitest';
import { ManualClock } from '@spine/core';
import { createSpineClient } from '@spine/sdk';
import { KeyGate, MAX_WRONG, REMEMBER_MS, WINDOW_MS } from './key-gate.ts';

/** An API that knows these keys, behind a real client. */
function gateTo(known: ReadonlySet<string>, mode: 'open' | 'keys' = 'keys') {
  const clock = new ManualClock('2026-01-05T00:00:00Z');
  const asked: string[] = [];
  const api = (key: string): Response => {
    asked.push(key);
    if (key === 'down') return Response.json({}, { status: 502 });
    if (mode === 'open' || known.has(key)) return Response.json({ data: { mode } });
    const code = key === 'submits-only' ? 'FORBIDDEN' : 'UNAUTHENTICATED';
    const status = code === 'FORBIDDEN' ? 403 : 401;
    return Response.json(
      { status, code, title: code, detail: code, errors: [] },
      { status, headers: { 'content-type': 'application/problem+json' } },
    );
  };
  const gate = new KeyGate({
    clock,
    clientOf: (apiKey) =>
      createSpineClient({ baseUrl: 'http://api.test', apiKey, fetch: () => Promise.resolve(api(apiKey)) }),
  });
  return { gate, clock, asked };
}

describe('KeyGate', () => {
  it('asks the API, and remembers what was good for a while', async () => {
    const known = new Set(['good']);
    const { gate, clock, asked } = gateTo(known);
    expect(await gate.check('good')).toBe('good');
    expect(await gate.check('submits-only')).toBe('good');
    expect(await gate.check('bad')).toBe('wrong');
    expect(await gate.check('good')).toBe('good');
    expect(asked).toEqual(['good', 'submits-only', 'bad']);
    known.delete('good');
    clock.advance(REMEMBER_MS);
    expect(await gate.check('good')).toBe('wrong');
  });

  it('turns guesses away before they use up everybody’s', async () => {
    const { gate, clock, asked } = gateTo(new Set(['good', 'other']));
    expect(await gate.check('good')).toBe('good');
    const guesses = await Promise.all(
      Array.from({ length: MAX_WRONG + 20 }, (_, n) => gate.check(`guess-${n}`)),
    );
    expect(guesses.filter((each) => each === 'wrong')).toHaveLength(MAX_WRONG);
    expect(guesses.filter((each) => each === 'turned_away')).toHaveLength(20);
    expect(asked).toHaveLength(MAX_WRONG + 1);
    expect(await gate.check('good')).toBe('good');
    expect(await gate.check('other')).toBe('turned_away');
    clock.advance(WINDOW_MS);
    expect(await gate.check('other')).toBe('good');
  });

  it('counts no guess where the API does not answer', async () => {
    const { gate } = gateTo(new Set(['good']));
    for (let n = 0; n <= MAX_WRONG; n += 1) await expect(gate.check('down')).rejects.toThrow();
    expect(await gate.check('good')).toBe('good');
  });

  it('tells an API that asks for no key', async () => {
    const { gate } = gateTo(new Set(), 'open');
    expect(await gate.check('anything')).toBe('open_api');
  });
});
