import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { JournalWriter, parseJournal, readJournal } from './journal.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spine-journal-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('the journal', () => {
  it('keeps the lines of several writers', () => {
    const path = join(directory, 'journal');
    const [first, second] = [newId(), newId()];
    const writers = [new JournalWriter(path), new JournalWriter(path)];
    writers[0]?.started(first, 1);
    writers[1]?.started(second, 7);
    writers[0]?.wroteLate(first, 1, 'refused');
    expect(readJournal(path)).toEqual({
      starts: [
        { runId: first, epoch: 1, pid: process.pid },
        { runId: second, epoch: 7, pid: process.pid },
      ],
      lateWrites: [{ runId: first, epoch: 1, outcome: 'refused' }],
    });
  });

  it('refuses a line it cannot read', () => {
    expect(() => parseJournal(`start ${newId()} 1 2\nstart torn`)).toThrow('start torn');
  });
});
