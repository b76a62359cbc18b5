/**
 * Contestants measured in turns. A machine's speed moves within minutes: only what was measured in one repetition is
 * compared, and the order moves by one with each repetition, so that nobody always runs after the same neighbour.
 */
import { PHASES } from './model.ts';
import type { Contestant, Environment, Load, Phase, Phases } from './model.ts';
import { median } from './statistics.ts';

export interface Entry {
  readonly contestant: Contestant;
  readonly load: Load;
}

export interface Measured extends Entry {
  /** One a repetition. */
  readonly rounds: readonly Phases[];
}

export interface MeasureOptions {
  readonly repetitions: number;
  readonly environment: (prefix: string) => Environment;
  readonly onRound?: (repetition: number, entry: Entry, phases: Phases) => void;
}

/** @throws VoidMeasurementError of the first contestant whose work was not all done. */
export async function measureInTurns(
  entries: readonly Entry[],
  { repetitions, environment, onRound }: MeasureOptions,
): Promise<readonly Measured[]> {
  const measured = entries.map((entry) => ({ ...entry, rounds: [] as Phases[] }));
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (let turn = 0; turn < measured.length; turn += 1) {
      const index = (turn + repetition) % measured.length;
      const entry = measured[index];
      if (entry === undefined) continue;
      const phases = await entry.contestant.measure(environment(`b${repetition}x${index}`), entry.load);
      entry.rounds.push(phases);
      onRound?.(repetition + 1, entry, phases);
    }
  }
  return measured;
}

export function rates({ rounds }: Pick<Measured, 'rounds'>, phase: Phase): number[] {
  return rounds.map((round) => round[phase]);
}

/** The one with the best median of a phase. @throws RangeError for an empty list. */
export function bestAt(measured: readonly Measured[], phase: Phase): Measured {
  const [first, ...others] = measured;
  if (first === undefined) throw new RangeError('nothing was measured');
  return others.reduce(
    (best, each) => (median(rates(each, phase)) > median(rates(best, phase)) ? each : best),
    first,
  );
}

/** How many times as fast `one` was as `other`, a repetition each. */
export function ratios(
  one: Pick<Measured, 'rounds'>,
  other: Pick<Measured, 'rounds'>,
  phase: Phase,
): number[] {
  const others = rates(other, phase);
  return rates(one, phase).map((rate, index) => rate / (others[index] ?? Number.NaN));
}

/** The medians of all phases. */
export function medians(measured: Pick<Measured, 'rounds'>): Phases {
  const [submit, drain, endToEnd] = PHASES.map((phase) => median(rates(measured, phase)));
  return { submit: submit ?? Number.NaN, drain: drain ?? Number.NaN, endToEnd: endToEnd ?? Number.NaN };
}
