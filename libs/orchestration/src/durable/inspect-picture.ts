/** A picture of a workflow run: its steps, with what it has added itself, coloured by where they are. */
import type { RunGraph } from '../engine/run-graph.ts';
import type { StepStatus } from '../engine/state.ts';
import { visualizeAscii } from '../tools/visualize/ascii.ts';
import { visualizeDot } from '../tools/visualize/dot.ts';
import { visualizeMermaid } from '../tools/visualize/mermaid.ts';
import { visualizeSvg } from '../tools/visualize/svg.ts';
import type { Step, WorkflowInput } from '../workflow/model.ts';
import { look } from './inspect-look.ts';
import type { Inspected, InspectServices } from './inspect-look.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';

export const RUN_PICTURES = ['mermaid', 'ascii', 'dot'] as const;
export type RunPicture = (typeof RUN_PICTURES)[number];

const DRAW = { mermaid: visualizeMermaid, ascii: visualizeAscii, dot: visualizeDot } as const;

/** Text in the language of the format. */
export function drawRun(snapshot: WorkflowSnapshot, format: RunPicture): string {
  const { workflow, statuses } = pictured(snapshot);
  return DRAW[format](workflow, { statuses });
}

/** The picture of a run by itself. @throws ValidationError for an SVG of more than `SVG_LIMITS`. */
export async function drawWorkflowRun(
  services: InspectServices,
  runId: string,
  format: RunPicture | 'svg',
): Promise<Inspected<string>> {
  const found = await look(services, runId, (_, snapshot) =>
    Promise.resolve(format === 'svg' ? pictured(snapshot) : drawRun(snapshot, format)),
  );
  if (found.type !== 'found') return found;
  const { view } = found;
  // Drawn when the snapshot is closed: it takes its time.
  const picture = typeof view === 'string' ? view : await visualizeSvg(view.workflow, view);
  return { type: 'found', view: picture };
}

interface Pictured {
  readonly workflow: WorkflowInput;
  readonly statuses: ReadonlyMap<string, StepStatus>;
}

function pictured({ definition, head, graph, statusOf }: WorkflowSnapshot): Pictured {
  const statuses = new Map(graph.names().map((name): [string, StepStatus] => [name, statusOf(name)]));
  return { workflow: head.overlay === null ? definition : asItRuns(definition, graph), statuses };
}

/** The graph of a run that was changed has edges that no list of steps tells: they are written down. */
function asItRuns(definition: WorkflowInput, graph: RunGraph): WorkflowInput {
  const before = new Map<string, string[]>();
  for (const from of graph.names()) {
    // Where a choice leads is told by its routes.
    if (graph.step(from)?.kind === 'choice') continue;
    for (const { to } of graph.outgoing(from)) {
      const others = before.get(to);
      if (others === undefined) before.set(to, [from]);
      else others.push(from);
    }
  }
  const steps = graph.names().flatMap((name): Step[] => {
    const step = graph.step(name);
    return step === undefined ? [] : [{ ...step, dependsOn: before.get(name) ?? [] }];
  });
  return { ...definition, steps, policy: { ...definition.policy, mode: 'parallel' } };
}
