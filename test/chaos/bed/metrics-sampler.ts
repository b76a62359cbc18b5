/**
 * Counters of the workers, summed over all their processes. A process that is killed takes its counters along, so they
 * are read again and again, and the last reading of each process counts.
 */
import { pause } from '../pause.ts';

const EVERY_MS = 500;
const TIMEOUT_MS = 1_000;

/** The sum of a counter over its labels, in Prometheus' text format; 0 when it is not there. */
export function sumOf(text: string, counter: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${counter}{`) || line.startsWith(`${counter} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

export class MetricsSampler {
  readonly #ports: ReadonlyMap<string, number>;
  /** By name and start time of the process. */
  readonly #fenced = new Map<string, number>();
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  /** @param ports of the processes' metrics now, on loopback, by the name of the process. */
  constructor(ports: ReadonlyMap<string, number>) {
    this.#ports = ports;
  }

  /** Writes refused because the epoch was not current. */
  get fencedWrites(): number {
    return [...this.#fenced.values()].reduce((sum, value) => sum + value, 0);
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Reads every process that answers. */
  async sample(): Promise<void> {
    await Promise.all([...this.#ports].map(([name, port]) => this.#read(name, port)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.sample();
      await pause(EVERY_MS, signal);
    }
  }

  async #read(name: string, port: number): Promise<void> {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await response.text();
      const started = sumOf(text, 'process_start_time_seconds');
      this.#fenced.set(`${name}@${started}`, sumOf(text, 'spine_fenced_writes_total'));
    } catch {
      // Down, frozen, or blocked: the last reading stays.
    }
  }
}
