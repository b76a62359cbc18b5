/**
 * Which versions of which calculations there are.
 *
 * 1. Versions are numbers: v10 is newer than v2, whatever text order says.
 * 2. The current version is the newest one that is not deprecated, so it never is deprecated itself.
 * 3. A version stays listed for ever: stored rows name it. A deprecated one still computes, and says that it is deprecated.
 */
import { ConfigError, truncateText, ValidationError } from '@spine/core';

/** `v` and a whole number from 1 on. */
export type CalcVersion = `v${number}`;

export interface VersionEntry {
  readonly version: CalcVersion;
  /** Why it should not be used any more, and what to use. Absent: it is fine. */
  readonly deprecated?: string;
}

/** A version somebody may compute with. */
export interface ResolvedVersion {
  readonly version: CalcVersion;
  /** For whoever asked for a deprecated one; null for others. */
  readonly deprecation: string | null;
}

const VERSION = /^v([1-9]\d{0,5})$/;

function numberOf(version: string): number {
  return Number(VERSION.exec(version)?.[1]);
}

/** For sorting: older versions first. Throws ConfigError for text that is no version. */
export function compareVersions(a: string, b: string): number {
  const difference = numberOf(a) - numberOf(b);
  if (!Number.isNaN(difference)) return difference;
  throw new ConfigError(
    `${JSON.stringify(truncateText(`${a}, ${b}`, 80))} are not versions; allowed are v1, v2, …`,
  );
}

export class CalcVersions<C extends string> {
  readonly #calcs: ReadonlyMap<string, readonly VersionEntry[]>;

  /** @throws ConfigError for a calculation without a current version, or a version out of form or listed twice. */
  constructor(calcs: Readonly<Record<C, readonly VersionEntry[]>>) {
    this.#calcs = new Map(
      Object.entries<readonly VersionEntry[]>(calcs).map(([calc, entries]) => {
        const sorted = entries.toSorted((a, b) => compareVersions(a.version, b.version));
        sorted.forEach(({ version }, index) => {
          compareVersions(version, version);
          if (sorted[index + 1]?.version === version)
            throw new ConfigError(`${calc} ${version} is listed twice`);
        });
        if (sorted.every(({ deprecated }) => deprecated !== undefined))
          throw new ConfigError(`${calc} has no version that is not deprecated`);
        return [calc, sorted];
      }),
    );
  }

  /** Every calculation there is. */
  calcs(): readonly string[] {
    return [...this.#calcs.keys()];
  }

  /** All versions, oldest first. */
  versions(calc: C): readonly VersionEntry[] {
    return this.#calcs.get(calc) ?? [];
  }

  current(calc: C): CalcVersion {
    const newest = this.versions(calc).findLast(({ deprecated }) => deprecated === undefined);
    if (newest === undefined) throw new ConfigError(`${calc} is not a calculation`);
    return newest.version;
  }

  /**
   * The version to compute with: the one asked for, else the current one.
   * @throws ValidationError for a version that does not exist, naming those that do.
   */
  resolve(calc: C, requested: string | null = null): ResolvedVersion {
    const current = this.current(calc);
    const entry = this.versions(calc).find(({ version }) => version === (requested ?? current));
    if (entry !== undefined) {
      const { version, deprecated } = entry;
      const deprecation =
        deprecated === undefined
          ? null
          : `${calc} ${version} is deprecated (current is ${current}): ${deprecated}`;
      return { version, deprecation };
    }
    const allowed = this.versions(calc)
      .map(({ version }) => version)
      .join(', ');
    const message = `${JSON.stringify(truncateText(requested ?? '', 40))} is not a version of ${calc}; allowed are ${allowed}`;
    throw new ValidationError(`calc_version: ${message}`, {
      issues: [{ field: 'params.calc_version', code: 'unknown_version', message }],
    });
  }
}
