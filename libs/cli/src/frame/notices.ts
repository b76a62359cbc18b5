/** What is said beside the answer, on standard error: notes, and how far something is while somebody waits. */
import type { OutputStream } from './io.ts';
import { oneLine, shortened } from './printable.ts';
import type { Paint } from './table.ts';

const ERASE_LINE = '\r\u001b[K';
const BAR_WIDTH = 24;

/** `[######------]  50 %`. @param fraction from 0 to 1 */
export function barText(fraction: number): string {
  const share = Math.min(1, Math.max(0, fraction));
  const full = Math.round(share * BAR_WIDTH);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}] ${percent} %`;
}

export class Notices {
  readonly paint: Paint;
  /** Whether progress is shown: a terminal, and not a script's. */
  readonly showsProgress: boolean;
  readonly #stream: OutputStream;
  #shown = '';

  constructor(stream: OutputStream, { paint, quiet }: { readonly paint: Paint; readonly quiet: boolean }) {
    this.#stream = stream;
    this.paint = paint;
    this.showsProgress = stream.isTTY === true && !quiet;
    // Nobody reads our notes: that is no reason to fail.
    stream.on('error', () => undefined);
  }

  /** A line that stays. */
  say(text: string): void {
    const shown = this.#shown;
    this.done();
    this.#stream.write(`${text}\n`);
    if (shown !== '') this.progress(shown);
  }

  /** In place of the last one; nothing where no terminal is. */
  progress(text: string): void {
    if (!this.showsProgress) return;
    const line = shortened(oneLine(text), (this.#stream.columns ?? 80) - 1);
    if (line === this.#shown) return;
    this.#shown = line;
    this.#stream.write(`${ERASE_LINE}${line}`);
  }

  /** Takes the progress away. */
  done(): void {
    if (this.#shown === '') return;
    this.#shown = '';
    this.#stream.write(ERASE_LINE);
  }
}
