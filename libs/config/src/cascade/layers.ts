/** Layers of settings, weakest first: which value counts, and where it came from. Pure. */
import type { Environment } from '../settings-model.ts';

/** Values of one place. */
export interface Layer {
  /** As `spine config show` names it: `environment`, `.env.local`, `profile staging`. */
  readonly source: string;
  readonly values: Environment;
}

export interface SourcedValue {
  readonly value: string;
  readonly source: string;
}

export type MergedValues = ReadonlyMap<string, SourcedValue>;

/**
 * The strongest value of every name, trimmed. A name that is set to nothing counts as not set, in every layer: compose
 * files and shells pass variables through as empty text, which must not hide what a file says.
 */
export function mergeLayers(weakestFirst: readonly Layer[]): MergedValues {
  const merged = new Map<string, SourcedValue>();
  for (const { source, values } of weakestFirst) {
    for (const [name, text] of Object.entries(values)) {
      const value = text?.trim();
      if (value !== undefined && value !== '') merged.set(name, { value, source });
    }
  }
  return merged;
}

/** The values alone. */
export function toEnvironment(merged: MergedValues): Record<string, string> {
  return Object.fromEntries([...merged].map(([name, { value }]) => [name, value]));
}
