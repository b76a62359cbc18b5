/** Comparing version numbers. */

/** Of `v24.11.0` or `7.0.15`: its numbers; null for another text. */
export function versionParts(version: string): readonly number[] | null {
  const digits = /^v?(\d+(?:\.\d+)*)/.exec(version)?.[1];
  return digits === undefined ? null : digits.split('.').map(Number);
}

/** Part by part; what is missing counts as 0. */
export function isAtLeast(version: readonly number[], least: readonly number[]): boolean {
  for (const [index, wanted] of least.entries()) {
    const part = version[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
