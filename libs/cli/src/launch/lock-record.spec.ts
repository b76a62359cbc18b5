import type { ProcessIdentity } from '@spine/database/embedded';
import { describe, expect, it } from 'vitest';
import { heldMessage, judgeLock, parseLock, renderLock, type LockRecord } from './lock-record.ts';

const record: LockRecord = {
  token: 'abc',
  launcher: { pid: 100, startTime: 't100' },
  state: 'running',
  url: 'http://127.0.0.1:3000',
  children: [
    { name: 'api', pid: 101, startTime: 't101' },
    { name: 'worker-1', pid: 102, startTime: 't102' },
    { name: 'gone', pid: 103, startTime: null },
  ],
};

/** A process table of pid -> start time. */
function running(table: Record<number, string>) {
  return ({ pid, startTime }: ProcessIdentity) => startTime !== null && table[pid] === startTime;
}

describe('the lock file', () => {
  it('says what it was told', () => {
    expect(parseLock(renderLock(record))).toEqual(record);
  });

  it.each([
    ['', 'empty'],
    ['{"token":"abc","launcher":{"pid":10', 'torn'],
    ['[]', 'a list'],
    ['null', 'null'],
    [
      '{"token":"abc","launcher":{"pid":1,"start_time":"x"},"state":"running","url":null,"children":[]}',
      'init as launcher',
    ],
    ['{"token":"abc","launcher":{"pid":"7"},"state":"running","url":null,"children":[]}', 'text as pid'],
    [
      '{"token":"abc","launcher":{"pid":7,"start_time":"x"},"state":"odd","url":null,"children":[]}',
      'an odd state',
    ],
  ])('%j (%s) is no lock, and stale', (text) => {
    expect(parseLock(text)).toBeUndefined();
    expect(judgeLock(text, () => true)).toEqual({ kind: 'stale', leftovers: [] });
  });

  it('skips children it cannot identify, pid 0 and 1 above all', () => {
    const text = renderLock({
      ...record,
      children: [
        { name: 'a', pid: 0, startTime: 'x' },
        { name: 'b', pid: 1, startTime: 'x' },
        { name: 'c', pid: -5, startTime: 'x' },
        { name: 'd', pid: 102, startTime: 't102' },
      ],
    });
    expect(parseLock(text)?.children.map(({ name }) => name)).toEqual(['d']);
  });
});

describe('judgeLock', () => {
  it('is free without a file', () => {
    expect(judgeLock(undefined, () => true)).toEqual({ kind: 'free' });
  });

  it('is held while that very launcher lives', () => {
    expect(judgeLock(renderLock(record), running({ 100: 't100' }))).toEqual({ kind: 'held', record });
  });

  it('is stale when the launcher’s pid belongs to another process', () => {
    expect(judgeLock(renderLock(record), running({ 100: 'later' }))).toEqual({
      kind: 'stale',
      leftovers: [],
    });
  });

  it('names the children that are left, and only those that are still themselves', () => {
    const verdict = judgeLock(renderLock(record), running({ 101: 'later', 102: 't102', 103: 'x' }));
    expect(verdict).toEqual({
      kind: 'stale',
      leftovers: [{ name: 'worker-1', pid: 102, startTime: 't102' }],
    });
  });
});

describe('heldMessage', () => {
  it('says who runs, where, and what to do', () => {
    const text = heldMessage(record, '/p/.spine');
    expect(text).toContain('already runs (process 100, http://127.0.0.1:3000)');
    expect(text).toContain('/p/.spine');
    expect(text).toContain('kill 100');
    expect(text).toContain('SPINE_DATA_DIR');
    expect(heldMessage({ ...record, state: 'starting' }, '/p')).toContain('is being started by process 100');
    expect(heldMessage({ ...record, state: 'stopping' }, '/p')).toContain('is still stopping');
  });
});
