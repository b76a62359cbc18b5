/** What a step is expected to take and to cost, by whoever knows its handler. */
import { parseDecimal, ValidationError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { Call, Step, StepKind } from '../../workflow/model.ts';

export interface Estimate {
  /** Of one run of the step; null where nobody knows. */
  readonly seconds: number | null;
  /** An amount of the currency that all estimators agree on, as decimal text; null where nobody knows. */
  readonly cost: string | null;
}

export interface EstimatedStep {
  readonly step: Step;
  /** As far as they are known before the run: references to outputs are left as they are written. */
  readonly params: JsonObject;
  /** Of a map whose items are known before the run; else null. */
  readonly items: number | null;
}

export type CostEstimator = (step: EstimatedStep) => Partial<Estimate>;

/** Estimators by handler and by kind of step; the one for the handler wins. */
export class CostEstimators {
  readonly #byHandler = new Map<string, CostEstimator>();
  readonly #byKind = new Map<StepKind, CostEstimator>();

  /** For steps that call this handler. @throws ValidationError where it has one. */
  forHandler(kind: Call['kind'], handler: string, estimator: CostEstimator): this {
    register(this.#byHandler, `${kind}:${handler}`, estimator);
    return this;
  }

  /** For steps of a kind without one for their handler. @throws ValidationError where it has one. */
  forKind(kind: StepKind, estimator: CostEstimator): this {
    register(this.#byKind, kind, estimator);
    return this;
  }

  /**
   * A wait for a time takes that long, a choice nothing; anything else is unknown unless somebody has said.
   *
   * @throws ValidationError for an estimate that is negative, or no number.
   */
  estimate(what: EstimatedStep): Estimate {
    const { step } = what;
    const own =
      step.kind === 'operation' || step.kind === 'lambda'
        ? this.#byHandler.get(`${step.kind}:${step.handler}`)
        : undefined;
    const estimator = own ?? this.#byKind.get(step.kind);
    const said = estimator === undefined ? {} : checked(estimator(what), step.name);
    return { ...byNature(step), ...said };
  }
}

function byNature(step: Step): Estimate {
  if (step.kind === 'choice') return { seconds: 0, cost: '0' };
  if (step.kind === 'wait')
    return { seconds: 'durationSeconds' in step.wait ? step.wait.durationSeconds : null, cost: '0' };
  return { seconds: null, cost: null };
}

function checked(said: Partial<Estimate>, step: string): Partial<Estimate> {
  const { seconds, cost } = said;
  const field = `estimate of ${step}`;
  if (typeof seconds === 'number' && !(Number.isFinite(seconds) && seconds >= 0))
    throw refused(field, `${seconds} seconds; allowed are numbers from 0 on`);
  if (typeof cost === 'string' && parseDecimal(cost, field).isNegative())
    throw refused(field, `a cost of ${cost}; allowed are amounts from 0 on`);
  return said;
}

function refused(field: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'out_of_range', message }] });
}

function register<K extends string>(known: Map<K, CostEstimator>, key: K, estimator: CostEstimator): void {
  if (known.has(key)) throw refused('estimators', `${key} has an estimator`);
  known.set(key, estimator);
}
