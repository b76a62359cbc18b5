/**
 * What handlers did, written down outside of the system under test. One line by one write to a file opened for
 * appending: lines of several processes never mix, and what was written survives the writer's kill -9.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';

/** A handler was called. */
export interface HandlerStart {
  readonly runId: string;
  readonly epoch: number;
  readonly pid: number;
}

/** A handler tried to write for an attempt that had ended. */
export interface LateWrite {
  readonly runId: string;
  readonly epoch: number;
  readonly outcome: 'accepted' | 'refused';
}

export class JournalWriter {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  started(runId: string, epoch: number): void {
    writeSync(this.#file, `start ${runId} ${epoch} ${process.pid}\n`);
  }

  wroteLate(runId: string, epoch: number, outcome: LateWrite['outcome']): void {
    writeSync(this.#file, `late ${runId} ${epoch} ${outcome}\n`);
  }
}

export interface Journal {
  readonly starts: readonly HandlerStart[];
  readonly lateWrites: readonly LateWrite[];
}

const START = /^start ([0-9a-f-]{36}) (\d+) (\d+)$/;
const LATE = /^late ([0-9a-f-]{36}) (\d+) (accepted|refused)$/;

/** @throws SyntaxError for a line nobody writes: a journal that cannot be read proves nothing. */
export function parseJournal(text: string): Journal {
  const starts: HandlerStart[] = [];
  const lateWrites: LateWrite[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const start = START.exec(line);
    const late = LATE.exec(line);
    if (start !== null) {
      starts.push({ runId: start[1] ?? '', epoch: Number(start[2]), pid: Number(start[3]) });
    } else if (late !== null) {
      const outcome = late[3] === 'accepted' ? 'accepted' : 'refused';
      lateWrites.push({ runId: late[1] ?? '', epoch: Number(late[2]), outcome });
    } else throw new SyntaxError(`the journal has a line nobody writes: ${JSON.stringify(line)}`);
  }
  return { starts, lateWrites };
}

export function readJournal(path: string): Journal {
  return parseJournal(readFileSync(path, 'utf8'));
}
