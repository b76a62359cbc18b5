/** The command line of the benchmark, checked. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Names of the suites to run, in order; `all` is every one. */
  readonly suites: readonly string[];
  readonly jobs: number;
  readonly repetitions: number;
  /** Slots of a worker: every count is measured for both sides. */
  readonly slots: readonly number[];
  /** Idle latency samples a side. */
  readonly samples: number;
  /** Length of the measurements that are over time. */
  readonly seconds: number;
  /** Finished runs in the table of the history suite. */
  readonly history: number;
  /** Rows of the file of the ingest suite. */
  readonly rows: number;
  /** Measure the systems of test/bench/peers as well. */
  readonly peers: boolean;
  /** Folder for report.json and report.md; null writes neither. */
  readonly out: string | null;
}

/** A bad command line; the message says what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `npm run bench [-- <suite> ...] [options]

  --jobs N          jobs a phase (20000)
  --repetitions N   repetitions, contestants interleaved (5)
  --slots A,B,C     slots of a worker, measured for both sides (200,500,1000)
  --samples N       idle latency samples a side (300)
  --seconds N       length of measurements over time (20)
  --history N       finished runs in the table of the history suite (2000000)
  --rows N          rows of the file of the ingest suite (2000000)
  --peers           measure other systems as well; installs them in test/bench/peers first
  --out DIR         write report.json and report.md there
`;

const LARGEST = 100_000_000;

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > LARGEST) {
    throw new UsageError(
      `--${name} is ${JSON.stringify(text)}; allowed are whole numbers from 1 to ${LARGEST}`,
    );
  }
  return value;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        jobs: { type: 'string', default: '20000' },
        repetitions: { type: 'string', default: '5' },
        slots: { type: 'string', default: '200,500,1000' },
        samples: { type: 'string', default: '300' },
        seconds: { type: 'string', default: '20' },
        history: { type: 'string', default: '2000000' },
        rows: { type: 'string', default: '2000000' },
        peers: { type: 'boolean', default: false },
        out: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param known the names of all suites.
 * @throws UsageError naming what was given and what is allowed.
 */
export function parseOptions(
  args: readonly string[],
  known: readonly string[],
  byDefault: readonly string[],
): Options {
  const { values, positionals } = parse(args);
  for (const name of positionals) {
    if (name !== 'all' && !known.includes(name)) {
      throw new UsageError(`there is no suite ${JSON.stringify(name)}; there are ${known.join(', ')}, all`);
    }
  }
  const asked = positionals.length === 0 ? byDefault : positionals;
  return {
    suites: asked.includes('all') ? known : [...new Set(asked)],
    jobs: wholeNumber('jobs', values.jobs),
    repetitions: wholeNumber('repetitions', values.repetitions),
    slots: values.slots.split(',').map((text) => wholeNumber('slots', text.trim())),
    samples: wholeNumber('samples', values.samples),
    seconds: wholeNumber('seconds', values.seconds),
    history: wholeNumber('history', values.history),
    rows: wholeNumber('rows', values.rows),
    peers: values.peers,
    out: values.out ?? null,
  };
}
