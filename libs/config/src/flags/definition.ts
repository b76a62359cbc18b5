/** What feature flags can be, and which text and values they take. Pure. */
import { assertNever } from '@spine/core';

interface Described {
  /** For people: what it switches. */
  readonly description: string;
}

export interface BooleanFlag extends Described {
  readonly type: 'boolean';
  readonly fallback: boolean;
}

export interface IntegerFlag extends Described {
  readonly type: 'integer';
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}

/** One of some named variants. */
export interface VariantFlag<V extends string = string> extends Described {
  readonly type: 'variant';
  readonly fallback: V;
  readonly variants: readonly V[];
}

/** On for a share of keys, always the same ones. */
export interface RolloutFlag extends Described {
  readonly type: 'rollout';
  /** Whole percent, 0 to 100. */
  readonly fallback: number;
}

export type FlagDefinition = BooleanFlag | IntegerFlag | VariantFlag | RolloutFlag;
export type FlagDefinitions = Readonly<Record<string, FlagDefinition>>;

/** What a caller gets of a flag. */
export type FlagValue<D extends FlagDefinition> =
  D extends VariantFlag<infer V> ? V : D extends IntegerFlag ? number : boolean;

/** What a flag is set to: a rollout to its percentage, or wholly on or off. */
export type FlagSetting<D extends FlagDefinition> = D extends RolloutFlag ? number | boolean : FlagValue<D>;

/** As kept: checked, a rollout as its percentage. */
export type StoredSetting = boolean | number | string;

export function booleanFlag(fallback: boolean, description: string): BooleanFlag {
  return { type: 'boolean', fallback, description };
}

/** `fallback` lies within `min` and `max`, both included. */
export function integerFlag(
  fallback: number,
  range: { readonly min: number; readonly max: number },
  description: string,
): IntegerFlag {
  return { type: 'integer', fallback, ...range, description };
}

export function variantFlag<const V extends string>(
  fallback: NoInfer<V>,
  variants: readonly V[],
  description: string,
): VariantFlag<V> {
  return { type: 'variant', fallback, variants, description };
}

/** @param percent of the keys for which it is on by default. */
export function rolloutFlag(percent: number, description: string): RolloutFlag {
  return { type: 'rollout', fallback: percent, description };
}

/** Checks a value from outside; undefined for one the flag does not take. */
export function checkSetting(definition: FlagDefinition, value: unknown): StoredSetting | undefined {
  switch (definition.type) {
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'integer':
      return isWholeNumber(value, definition.min, definition.max) ? value : undefined;
    case 'variant':
      return definition.variants.find((variant) => variant === value);
    case 'rollout':
      if (typeof value === 'boolean') return value ? 100 : 0;
      return isWholeNumber(value, 0, 100) ? value : undefined;
    default:
      return assertNever(definition);
  }
}

/** The same of text, as an environment variable has it; undefined for one the flag does not take. */
export function parseSetting(definition: FlagDefinition, text: string): StoredSetting | undefined {
  switch (definition.type) {
    case 'boolean':
      return parseBoolean(text);
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? checkSetting(definition, Number(text)) : undefined;
    case 'variant':
      return checkSetting(definition, text);
    case 'rollout': {
      const percent = /^(\d{1,3})%?$/.exec(text)?.[1];
      return checkSetting(definition, percent === undefined ? parseBoolean(text) : Number(percent));
    }
    default:
      return assertNever(definition);
  }
}

/** What a flag takes, as errors and lists say it. */
export function describeAllowed(definition: FlagDefinition): string {
  switch (definition.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number from ${definition.min} to ${definition.max}`;
    case 'variant':
      return `one of ${definition.variants.join(', ')}`;
    case 'rollout':
      return 'a whole percentage from 0 to 100, true or false';
    default:
      return assertNever(definition);
  }
}

function isWholeNumber(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

function parseBoolean(text: string): boolean | undefined {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return undefined;
}
