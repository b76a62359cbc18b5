/** The span of a tick of the scheduler: from the first schedule that is due to the commit. A tick with nothing due has none. */
import { NO_SPAN, startSpan } from '@spine/observability';
import type { Span } from '@spine/observability';

export class TickSpan {
  #span: Span = NO_SPAN;

  /** Does `work` within the span: the runs that it starts are submitted in its trace. */
  during<T>(schedules: number, work: () => Promise<T>): Promise<T> {
    this.#span = startSpan('tick schedules', { parent: null, attributes: { 'spine.schedules': schedules } });
    return this.#span.run(work);
  }

  /** It has committed. */
  end(counts: { readonly runs: number; readonly broken: number }): void {
    this.#span.set({ 'spine.runs': counts.runs, 'spine.broken': counts.broken });
    this.#span.end();
  }

  /** It has not, and is done again. */
  fail(error: unknown): void {
    this.#span.fail(error instanceof Error ? error.name : 'Error');
    this.#span.end();
  }
}
