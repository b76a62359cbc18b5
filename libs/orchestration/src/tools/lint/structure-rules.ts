/** Rules about the shape of a workflow. */
import type { ChoiceStep } from '../../workflow/model.ts';
import type { LintFinding, LintRule } from './lint.ts';

/** Steps that start at once before somebody should say how many may. */
const WIDE = 10;
/** Items of a map at the same time that ask for a second look. */
const WIDE_MAP = 100;
/** Steps one after the other that would be better off as several workflows. */
const DEEP = 25;

const unreachable: LintRule = {
  code: 'W001',
  severity: 'warning',
  title: 'A step or a route is never taken.',
  check: ({ workflow }) =>
    workflow.steps.flatMap((step, index) => {
      const found: LintFinding[] = [];
      if (step.when?.trim() === 'false')
        found.push({
          field: `steps[${index}].when`,
          message: `step ${step.name}: never runs, its condition is false`,
        });
      return step.kind === 'choice' ? [...found, ...deadRoutes(step, index)] : found;
    }),
};

function deadRoutes(step: ChoiceStep, index: number): LintFinding[] {
  const seen = new Set<string>();
  return step.routes.flatMap(({ condition, thenStep }, at) => {
    const text = condition.trim();
    const why =
      text === 'false'
        ? 'its condition is false'
        : seen.has(text)
          ? 'an earlier route has its condition'
          : null;
    seen.add(text);
    if (why === null) return [];
    const message = `step ${step.name}: the route to ${thenStep} is never taken, ${why}`;
    return [{ field: `steps[${index}].routes[${at}]`, message }];
  });
}

const wideFanOut: LintRule = {
  code: 'W005',
  severity: 'warning',
  title: 'A great deal starts at once.',
  check: ({ workflow, shape: { graph } }) => {
    const found: LintFinding[] = workflow.steps.flatMap((step, index) =>
      step.kind === 'map' && (step.maxConcurrency ?? 0) > WIDE_MAP
        ? [
            {
              field: `steps[${index}].max_concurrency`,
              message: `step ${step.name}: ${step.maxConcurrency} items at the same time`,
            },
          ]
        : [],
    );
    if (workflow.policy?.mode !== 'parallel' || workflow.policy.maxConcurrency !== undefined) return found;
    if (graph.roots.length > WIDE)
      found.push({
        field: 'policy.max_concurrency',
        message: `${graph.roots.length} steps start at once, without a limit`,
      });
    for (const [name, edges] of graph.outgoing) {
      const at = graph.position.get(name) ?? 0;
      if (workflow.steps[at]?.kind === 'choice' || edges.length <= WIDE) continue;
      found.push({
        field: `steps[${at}]`,
        message: `step ${name}: ${edges.length} steps start after it at once, without policy.max_concurrency`,
      });
    }
    return found;
  },
};

const deepChain: LintRule = {
  code: 'W008',
  severity: 'info',
  title: 'A long chain of steps.',
  check: ({ shape: { waves } }) =>
    waves.length > DEEP
      ? [
          {
            field: 'steps',
            message: `${waves.length} steps wait for each other; sub-workflows would be easier to follow`,
          },
        ]
      : [],
};

export const STRUCTURE_RULES: readonly LintRule[] = [unreachable, wideFanOut, deepChain];
