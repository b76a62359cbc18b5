/**
 * Spine's feature flags behind the OpenFeature API, for code that is written against it:
 * `await OpenFeature.setProviderAndWait(new SpineFlagProvider(flags))`. A path of its own, `@spine/config/openfeature`,
 * so that only its users load the SDK.
 *
 * Booleans and rollouts are OpenFeature booleans, integers are numbers, variants are strings. The targeting key decides
 * rollouts. A flag nobody has declared, and one of another type, gives the caller's default and an error code.
 */
import { ErrorCode, StandardResolutionReasons } from '@openfeature/server-sdk';
import type {
  EvaluationContext,
  JsonValue,
  Provider,
  ProviderMetadata,
  ResolutionDetails,
  ResolutionReason,
} from '@openfeature/server-sdk';
import type { FeatureFlags, FlagSource } from './flags/feature-flags.ts';
import { UnknownFlagError } from './flags/feature-flags.ts';
import type { StoredSetting } from './flags/definition.ts';

type Primitive = boolean | string | number;

function reasonOf(source: FlagSource, split: boolean): ResolutionReason {
  if (split) return StandardResolutionReasons.SPLIT;
  return source === 'default' ? StandardResolutionReasons.DEFAULT : StandardResolutionReasons.STATIC;
}

export class SpineFlagProvider implements Provider {
  readonly runsOn = 'server';
  readonly metadata: ProviderMetadata = { name: 'spine' };
  readonly #flags: Pick<FeatureFlags, 'evaluate' | 'definition'>;

  constructor(flags: Pick<FeatureFlags, 'evaluate' | 'definition'>) {
    this.#flags = flags;
  }

  resolveBooleanEvaluation(
    name: string,
    fallback: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(name, fallback, context, (value) =>
      typeof value === 'boolean' ? value : undefined,
    );
  }

  resolveStringEvaluation(
    name: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return this.#resolve(name, fallback, context, (value) => (typeof value === 'string' ? value : undefined));
  }

  resolveNumberEvaluation(
    name: string,
    fallback: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return this.#resolve(name, fallback, context, (value) => (typeof value === 'number' ? value : undefined));
  }

  /** No flag of Spine is an object. */
  resolveObjectEvaluation<T extends JsonValue>(name: string, fallback: T): Promise<ResolutionDetails<T>> {
    return Promise.resolve({
      value: fallback,
      reason: StandardResolutionReasons.ERROR,
      errorCode: ErrorCode.TYPE_MISMATCH,
      errorMessage: `flag ${name}: no flag of Spine is an object`,
    });
  }

  #resolve<T extends Primitive>(
    name: string,
    fallback: T,
    { targetingKey }: EvaluationContext,
    narrow: (value: StoredSetting) => T | undefined,
  ): Promise<ResolutionDetails<T>> {
    try {
      const { type } = this.#flags.definition(name);
      const { value, source } = this.#flags.evaluate(name, { key: targetingKey });
      const narrowed = narrow(value);
      if (narrowed === undefined)
        return failure(fallback, ErrorCode.TYPE_MISMATCH, `flag ${name}: is of type ${type}`);
      const split = type === 'rollout' && targetingKey !== undefined;
      return Promise.resolve({ value: narrowed, variant: String(narrowed), reason: reasonOf(source, split) });
    } catch (error) {
      if (!(error instanceof UnknownFlagError)) throw error;
      return failure(fallback, ErrorCode.FLAG_NOT_FOUND, error.message);
    }
  }
}

function failure<T>(value: T, errorCode: ErrorCode, errorMessage: string): Promise<ResolutionDetails<T>> {
  return Promise.resolve({ value, reason: StandardResolutionReasons.ERROR, errorCode, errorMessage });
}
