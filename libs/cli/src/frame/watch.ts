/**
 * Looking again and again.
 *
 * On a terminal each look takes the place of the last: the cursor goes home, the lines are written over the old ones, and
 * what is left below is erased, all in one write, so that nothing flickers. With `--json`, or without a terminal, each
 * look is written after the last; as JSON one document a line.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Output } from './output.ts';

const ERASE_TO_LINE_END = '\u001b[K';
const HOME = '\u001b[H';
const ERASE_BELOW = '\u001b[J';
const CLEAR = '\u001b[2J';

export interface Look {
  readonly data: unknown;
  readonly human: () => string;
}

/** One frame: no line beyond the screen, since that would scroll it. */
export function frameText(text: string, rows: number, isFirst: boolean): string {
  const lines = text
    .replace(/\n$/, '')
    .split('\n')
    .slice(0, Math.max(1, rows - 1));
  return `${isFirst ? CLEAR : ''}${HOME}${lines.map((line) => `${line}${ERASE_TO_LINE_END}\n`).join('')}${ERASE_BELOW}`;
}

/** Until the signal aborts. @throws what looking throws, and the signal's reason */
export async function watch(
  out: Output,
  look: (signal: AbortSignal) => Promise<Look>,
  { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
): Promise<never> {
  for (let isFirst = true; ; isFirst = false) {
    const { data, human } = await look(signal);
    if (out.json || !out.isTerminal) await out.item(data, human);
    else await out.write(frameText(human(), out.rows, isFirst));
    try {
      await wait(intervalMs, undefined, { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }
}
