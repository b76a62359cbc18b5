/** The start as the user sees it: one line per stage, a spinner while it runs where there is a terminal. */

export const STAGES = [
  'build',
  'config',
  'postgres',
  'migrate',
  'queue',
  'api',
  'workers',
  'scheduler',
  'ready',
] as const;
export type Stage = (typeof STAGES)[number];

/** The part of a terminal (or file) that is needed. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const MARKS = { done: '✓', failed: '✗', note: '·' } as const;
const NAME_WIDTH = Math.max(...STAGES.map((stage) => stage.length));
const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 100;

/** `✓ postgres   Postgres 18.4 on 127.0.0.1:5432 (1.2 s)` */
export function renderLine(
  mark: keyof typeof MARKS,
  stage: Stage,
  detail: string,
  elapsedMs?: number,
): string {
  const time = elapsedMs === undefined ? '' : ` (${(elapsedMs / 1000).toFixed(1)} s)`;
  return `${MARKS[mark]} ${stage.padEnd(NAME_WIDTH)}  ${detail}${time}`.trimEnd();
}

/** The line that is redrawn on a terminal; cut to its width, because a wrapped line cannot be redrawn. */
export function renderSpinner(frame: number, stage: Stage, elapsedMs: number, columns = 80): string {
  const mark = FRAMES.charAt(frame % FRAMES.length);
  const line = `${mark} ${stage.padEnd(NAME_WIDTH)}  ${Math.floor(elapsedMs / 1000)} s`;
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`;
}

export class StageReporter {
  readonly #out: Output;
  readonly #now: () => number;
  #spinner: NodeJS.Timeout | undefined;

  constructor(out: Output, now: () => number = () => performance.now()) {
    this.#out = out;
    this.#now = now;
  }

  /**
   * Runs one stage and writes its line: `describe` of the result, or that it failed (the error goes on). `say` adds
   * a line for a part of it that takes a moment.
   */
  async run<T>(
    stage: Stage,
    work: (say: (detail: string) => void) => Promise<T>,
    describe: (result: T) => string,
  ): Promise<T> {
    const since = this.#now();
    if (this.#out.isTTY) this.#spin(stage, since);
    try {
      const result = await work((detail) => this.message(renderLine('note', stage, detail)));
      this.#finish(renderLine('done', stage, describe(result), this.#now() - since));
      return result;
    } catch (error) {
      this.#finish(renderLine('failed', stage, 'failed', this.#now() - since));
      throw error;
    }
  }

  /** A line between the stages, or above the spinner of the running one. */
  message(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  #spin(stage: Stage, since: number): void {
    let frame = 0;
    this.#spinner = setInterval(() => {
      this.#clear();
      this.#out.write(renderSpinner(frame++, stage, this.#now() - since, this.#out.columns));
    }, FRAME_MS);
  }

  #finish(line: string): void {
    clearInterval(this.#spinner);
    this.message(line);
  }

  #clear(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[2K');
  }
}
