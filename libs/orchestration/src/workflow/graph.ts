/**
 * What waits for what. Pure; tolerant of wrong definitions, so that all their problems can be told at once.
 *
 * An edge is one of:
 * - `data`: `dependsOn`. - `route`: from a choice to a step it may choose. - `order`: from a step of a sequential workflow to
 * the next in the list; it says when, never whether, a step runs.
 */
import type { ExecutionMode, Step } from './model.ts';

export type EdgeKind = 'data' | 'route' | 'order';

export interface Edge {
  readonly to: string;
  readonly kind: EdgeKind;
  /** The name by which it is chosen, where a step has been inserted before the one that was meant. Default `to`. */
  readonly chosenAs?: string;
}

/** Edges that lead to a step. */
export interface Incoming {
  readonly total: number;
  /** Of them, those that decide whether it runs: `data` and `route`. */
  readonly deciding: number;
}

export interface StepGraph {
  /** Names in the order of the list. */
  readonly names: readonly string[];
  /** Where each is in the list. */
  readonly position: ReadonlyMap<string, number>;
  readonly outgoing: ReadonlyMap<string, readonly Edge[]>;
  readonly incoming: ReadonlyMap<string, Incoming>;
  /** Steps that wait for nothing. */
  readonly roots: readonly string[];
  /** Steps that nothing depends on, order apart. */
  readonly leaves: readonly string[];
}

/** Edges to unknown steps are left out; of two steps of one name the first counts. */
export function buildGraph(steps: readonly Step[], mode: ExecutionMode): StepGraph {
  const names = [...new Set(steps.map((step) => step.name))];
  const edges = new Map<string, Map<string, EdgeKind>>(names.map((name) => [name, new Map()]));
  const add = (from: string, to: string, kind: EdgeKind): void => {
    if (edges.has(to)) edges.get(from)?.set(to, kind);
  };
  if (mode === 'sequential')
    names.slice(1).forEach((name, index) => add(names[index] ?? name, name, 'order'));
  for (const step of steps) for (const dependency of step.dependsOn ?? []) add(dependency, step.name, 'data');
  for (const step of steps) for (const target of targetsOf(step)) add(step.name, target, 'route');

  const outgoing = new Map<string, readonly Edge[]>();
  const incoming = new Map<string, Incoming>(names.map((name) => [name, { total: 0, deciding: 0 }]));
  for (const [from, targets] of edges) {
    outgoing.set(
      from,
      [...targets].map(([to, kind]) => ({ to, kind })),
    );
    for (const [to, kind] of targets) {
      const { total, deciding } = incoming.get(to) ?? { total: 0, deciding: 0 };
      incoming.set(to, { total: total + 1, deciding: deciding + (kind === 'order' ? 0 : 1) });
    }
  }
  return {
    names,
    position: new Map(names.map((name, index) => [name, index])),
    outgoing,
    incoming,
    roots: names.filter((name) => incoming.get(name)?.total === 0),
    leaves: names.filter((name) => outgoing.get(name)?.every((edge) => edge.kind === 'order') ?? true),
  };
}

/** The steps a choice may choose. */
export function targetsOf(step: Step): readonly string[] {
  if (step.kind !== 'choice') return [];
  const targets = step.routes.map((route) => route.thenStep);
  return step.elseStep === undefined ? targets : [...targets, step.elseStep];
}

export interface Order {
  /** Every step after those it waits for; steps in a cycle and behind one are missing. */
  readonly sorted: readonly string[];
  /** Steps in a cycle, each waiting for the one before it and the first for the last; null when there is none. */
  readonly cycle: readonly string[] | null;
  /** Steps that wait for a cycle without being in that one. */
  readonly blocked: readonly string[];
}

export function sortSteps(graph: StepGraph): Order {
  const open = new Map(graph.names.map((name) => [name, graph.incoming.get(name)?.total ?? 0]));
  const sorted = [...graph.roots];
  for (let at = 0; at < sorted.length; at += 1) {
    for (const { to } of graph.outgoing.get(sorted[at] ?? '') ?? []) {
      const left = (open.get(to) ?? 0) - 1;
      open.set(to, left);
      if (left === 0) sorted.push(to);
    }
  }
  if (sorted.length === graph.names.length) return { sorted, cycle: null, blocked: [] };
  const done = new Set(sorted);
  const rest = graph.names.filter((name) => !done.has(name));
  const cycle = cycleAmong(rest, graph);
  return { sorted, cycle, blocked: rest.filter((name) => !cycle.includes(name)) };
}

/** Each of `rest` waits for another of `rest`: going back from any of them ends in a cycle. */
function cycleAmong(rest: readonly string[], graph: StepGraph): string[] {
  const among = new Set(rest);
  const before = new Map<string, string>();
  for (const from of rest)
    for (const { to } of graph.outgoing.get(from) ?? [])
      if (among.has(to) && !before.has(to)) before.set(to, from);
  const path: string[] = [];
  const seen = new Map<string, number>();
  let at: string | undefined = rest[0];
  while (at !== undefined && !seen.has(at)) {
    seen.set(at, path.length);
    path.push(at);
    at = before.get(at);
  }
  const cycle = path.slice(at === undefined ? 0 : seen.get(at)).reverse();
  // Told from the step that comes first in the list, so that the same mistake always reads the same.
  const places = cycle.map((name) => graph.position.get(name) ?? 0);
  const start = places.indexOf(Math.min(...places));
  return [...cycle.slice(start), ...cycle.slice(0, start)];
}

/** Whether `earlier` has always settled before `later` starts. The graph must have no cycle. */
export function runsBefore(
  graph: StepGraph,
  depth: ReadonlyMap<string, number>,
  earlier: string,
  later: string,
): boolean {
  const limit = depth.get(later) ?? 0;
  const seen = new Set([earlier]);
  const queue = [earlier];
  for (const name of queue) {
    for (const { to } of graph.outgoing.get(name) ?? []) {
      if (to === later) return true;
      if (seen.has(to) || (depth.get(to) ?? 0) >= limit) continue;
      seen.add(to);
      queue.push(to);
    }
  }
  return false;
}
