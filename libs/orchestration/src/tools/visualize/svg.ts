/**
 * Images of workflows, drawn by Graphviz (compiled to WebAssembly) from the DOT text. It is loaded when the first one is asked
 * for.
 */
import type { Viz } from '@viz-js/viz';
import { ValidationError } from '@spine/core';
import type { WorkflowInput } from '../../workflow/model.ts';
import { pictureOf } from './describe.ts';
import type { DrawOptions } from './describe.ts';
import { visualizeDot } from './dot.ts';

/** Drawing holds up the process: 200 steps with 400 arrows take about 0.2 s, 500 with 1,500 would take 20 s. */
export const SVG_LIMITS = { steps: 200, arrows: 400 } as const;

/** How long Graphviz looks for fewer crossings and shorter arrows: it stops early where a graph is dense. */
const EFFORT = { nslimit: 1, nslimit1: 1, mclimit: 0.1 } as const;

let graphviz: Promise<Viz> | null = null;

/**
 * An SVG document. It has neither scripts nor links, and every text of the definition is escaped.
 * @throws ValidationError for more than {@link SVG_LIMITS}.
 */
export async function visualizeSvg(workflow: WorkflowInput, options: DrawOptions = {}): Promise<string> {
  const { nodes, arrows } = pictureOf(workflow, options);
  refuseOver('steps', nodes.length, SVG_LIMITS.steps);
  refuseOver('arrows', arrows.length, SVG_LIMITS.arrows);
  graphviz ??= import('@viz-js/viz').then(({ instance }) => instance());
  const viz = await graphviz;
  return viz.renderString(visualizeDot(workflow, options), { format: 'svg', graphAttributes: EFFORT });
}

function refuseOver(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  const message = `an image has at most ${limit} ${what}, this workflow ${count}: ask for dot, and draw it outside`;
  throw new ValidationError(message, { issues: [{ field: 'format', code: 'too_large', message }] });
}
