/** Finding a workflow among many, with what its runs have been like. */
import { ValidationError } from '@spine/core';
import type { StepKind, WorkflowInput } from '../../workflow/model.ts';
import { visualizeSummary } from '../visualize/describe.ts';
import type { DurationPercentiles, RateOfRuns, RunAnalytics } from './analytics.ts';

export interface CatalogEntry {
  readonly workflow: WorkflowInput;
  /** Of the store that numbers versions; null without one. */
  readonly version: number | null;
}

export interface CatalogQuery {
  /** Words; each must be found in the name, tags, domain, description, steps or handlers. */
  readonly text?: string;
  /** All of them. */
  readonly tags?: readonly string[];
  readonly domain?: string;
  /** Called by a step, an item of a map or a compensation. */
  readonly handler?: string;
  /** Has such a step. */
  readonly kind?: StepKind;
  /** Default `relevance`: best match first; others by name where equal. */
  readonly sort?: (typeof CATALOG_SORTS)[number];
  /** 1 to 1,000. Default 50. */
  readonly limit?: number;
  /** Hits to leave out before the first. Default 0. */
  readonly offset?: number;
}

export const CATALOG_SORTS = ['relevance', 'name', 'success_rate', 'duration', 'steps'] as const;

export interface CatalogHit extends CatalogEntry {
  /** How well the words match, from 0; equal for all without words. */
  readonly score: number;
  readonly steps: number;
  /** Null where no analytics were given. */
  readonly stats: (RateOfRuns & { readonly durationMs: DurationPercentiles }) | null;
}

export interface CatalogResult {
  readonly hits: readonly CatalogHit[];
  /** Before the limit. */
  readonly total: number;
}

const WEIGHTS = { name: 8, tag: 5, domain: 4, step: 2, handler: 2, description: 1 } as const;

/** @throws ValidationError for a limit out of range. */
export function searchCatalog(
  entries: readonly CatalogEntry[],
  query: CatalogQuery = {},
  analytics?: RunAnalytics,
): CatalogResult {
  const { limit = 50, offset = 0, sort = 'relevance' } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
    const message = `${limit} is no limit; allowed are whole numbers from 1 to 1,000`;
    throw new ValidationError(`limit: ${message}`, {
      issues: [{ field: 'limit', code: 'out_of_range', message }],
    });
  }
  const words = (query.text ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const hits = entries.flatMap((entry): CatalogHit[] => {
    if (!fits(entry.workflow, query)) return [];
    const score = scoreOf(entry.workflow, words);
    if (score === null) return [];
    const { name, steps } = entry.workflow;
    const stats =
      analytics === undefined
        ? null
        : { ...analytics.successRate(name), durationMs: analytics.durationPercentiles(name) };
    return [{ ...entry, score, steps: steps.length, stats }];
  });
  const sorted = hits.sort((a, b) => compare(a, b, sort) || (a.workflow.name < b.workflow.name ? -1 : 1));
  return { hits: sorted.slice(offset, offset + limit), total: hits.length };
}

function fits(workflow: WorkflowInput, { tags = [], domain, handler, kind }: CatalogQuery): boolean {
  return (
    tags.every((tag) => workflow.tags?.includes(tag)) &&
    (domain === undefined || workflow.domain === domain) &&
    (kind === undefined || workflow.steps.some((step) => step.kind === kind)) &&
    (handler === undefined || handlersOf(workflow).includes(handler))
  );
}

/** Of every word the best place in which it is found; null where one is found nowhere. */
function scoreOf(workflow: WorkflowInput, words: readonly string[]): number | null {
  const places: readonly (readonly [number, string])[] = [
    [WEIGHTS.name, workflow.name],
    ...(workflow.tags ?? []).map((tag) => [WEIGHTS.tag, tag] as const),
    [WEIGHTS.domain, workflow.domain ?? ''],
    ...workflow.steps.map(({ name }) => [WEIGHTS.step, name] as const),
    ...handlersOf(workflow).map((handler) => [WEIGHTS.handler, handler] as const),
    [WEIGHTS.description, workflow.description ?? ''],
  ];
  let score = 0;
  for (const word of words) {
    const best = Math.max(
      0,
      ...places.map(([weight, text]) => {
        const found = text.toLowerCase();
        if (found === word) return 2 * weight;
        return found.includes(word) ? weight : 0;
      }),
    );
    if (best === 0) return null;
    score += best;
  }
  return score;
}

function handlersOf(workflow: WorkflowInput): readonly string[] {
  const undo = workflow.steps.flatMap(({ compensate }) =>
    compensate === undefined ? [] : [compensate.handler],
  );
  return [...visualizeSummary(workflow).handlers, ...undo];
}

/** What is not known comes last. */
function compare(a: CatalogHit, b: CatalogHit, sort: (typeof CATALOG_SORTS)[number]): number {
  switch (sort) {
    case 'relevance':
      return b.score - a.score;
    case 'name':
      return 0;
    case 'success_rate':
      return (b.stats?.rate ?? -1) - (a.stats?.rate ?? -1);
    case 'duration':
      return (a.stats?.durationMs.p50 ?? Number.MAX_VALUE) - (b.stats?.durationMs.p50 ?? Number.MAX_VALUE);
    case 'steps':
      return a.steps - b.steps;
  }
}
