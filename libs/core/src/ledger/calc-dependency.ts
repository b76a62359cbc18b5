/** What a calculation is made from. Calculations and what they depend on are nodes: an operation of a domain. */

export const DEPENDENCY_TYPES = ['REQUIRED', 'OPTIONAL'] as const;
/** A partition is ready only when its required dependencies are current; optional ones are told of. */
export type DependencyType = (typeof DEPENDENCY_TYPES)[number];

export interface CalcDependency {
  readonly calcDomain: string;
  readonly calcOperation: string;
  /** The manifest stage that says when the calculation was made. */
  readonly calcStage: string;
  readonly dependsOnDomain: string;
  readonly dependsOnOperation: string;
  /** The manifest stage that says when what it depends on was made. */
  readonly dependsOnStage: string;
  /**
   * Fields of the calculation's partition key that name the partition it depends on, where that one is coarser; null for
   * all of them, an empty list for a domain with a single partition.
   */
  readonly partitionFields: readonly string[] | null;
  readonly dependencyType: DependencyType;
  readonly description: string | null;
}

type Edge = Pick<CalcDependency, 'calcDomain' | 'calcOperation' | 'dependsOnDomain' | 'dependsOnOperation'>;

/** `domain:operation`, for people. */
function nodeOf(domain: string, operation: string): string {
  return `${domain}:${operation}`;
}

/**
 * A chain of calculations that depend on themselves, first and last being the same, or null when there is none. Optional
 * dependencies count: what is current cannot be said of a circle.
 */
export function findDependencyCycle(dependencies: readonly Edge[]): readonly string[] | null {
  const below = new Map<string, string[]>();
  for (const { calcDomain, calcOperation, dependsOnDomain, dependsOnOperation } of dependencies) {
    const calc = nodeOf(calcDomain, calcOperation);
    const needs = below.get(calc) ?? [];
    needs.push(nodeOf(dependsOnDomain, dependsOnOperation));
    below.set(calc, needs);
  }
  const done = new Set<string>();
  for (const start of below.keys()) {
    // Depth first without recursion: a chain may be as long as the table.
    const path: string[] = [start];
    const on = new Set(path);
    const rests = [[...(below.get(start) ?? [])]];
    while (path.length > 0) {
      const next = rests.at(-1)?.pop();
      if (next === undefined) {
        const left = path.pop();
        rests.pop();
        if (left !== undefined) {
          on.delete(left);
          done.add(left);
        }
      } else if (on.has(next)) {
        return [...path.slice(path.indexOf(next)), next];
      } else if (!done.has(next)) {
        path.push(next);
        on.add(next);
        rests.push([...(below.get(next) ?? [])]);
      }
    }
  }
  return null;
}
