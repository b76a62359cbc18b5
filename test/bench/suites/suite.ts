import type { Options } from '../options.ts';
import type { Section } from '../model.ts';

export interface SuiteContext {
  readonly options: Options;
  /** One line of progress. */
  readonly say: (line: string) => void;
}

export interface Suite {
  readonly name: string;
  /** What it measures, for the usage text. */
  readonly about: string;
  /** @throws VoidMeasurementError when what was measured does not add up. */
  run(context: SuiteContext): Promise<Section>;
}
