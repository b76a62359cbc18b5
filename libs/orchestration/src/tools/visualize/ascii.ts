import type { WorkflowInput } from '../../workflow/model.ts';
import type { StepStatus } from '../../engine/state.ts';
import { describeStep, shapeOf } from '../shape.ts';
import type { DrawOptions } from './describe.ts';

const WIDEST = 100;

/**
 * For terminals: a short chain as boxes in a row, anything else as a list of waves, each step with those it waits for.
 * Control characters of texts are left out, so that no text moves the cursor.
 */
export function visualizeAscii(workflow: WorkflowInput, { statuses }: DrawOptions = {}): string {
  const { waves, stuck, graph } = shapeOf(workflow);
  if (stuck.length === 0 && waves.every((wave) => wave.length === 1)) {
    const row = boxes(waves.flat().map((name) => marked(name, statuses)));
    if (row !== null) return row;
  }
  const before = new Map<string, string[]>(graph.names.map((name) => [name, []]));
  for (const [from, edges] of graph.outgoing) for (const { to } of edges) before.get(to)?.push(from);
  const steps = new Map(workflow.steps.map((step) => [step.name, step]));
  const line = (name: string): string => {
    const step = steps.get(name);
    const after = before.get(name) ?? [];
    const waits = after.length === 0 ? '' : ` <- ${after.map(plain).join(', ')}`;
    return `${marked(name, statuses)} (${step === undefined ? '' : plain(`${step.kind}: ${describeStep(step)}`)})${waits}`;
  };
  const width = String(waves.length).length;
  const listed = waves.flatMap((wave, at) =>
    wave.map(
      (name, place) => `${place === 0 ? String(at + 1).padStart(width) : ' '.repeat(width)}  ${line(name)}`,
    ),
  );
  return [
    plain(workflow.name),
    ...listed,
    ...stuck.map((name) => `${'?'.padStart(width)}  ${line(name)}`),
    '',
  ].join('\n');
}

function boxes(names: readonly string[]): string | null {
  const wide = names.reduce((sum, name) => sum + [...name].length + 4, 0) + 4 * (names.length - 1);
  if (wide > WIDEST || names.length === 0) return null;
  const edge = (left: string, right: string): string =>
    names.map((name) => `${left}${'─'.repeat([...name].length + 2)}${right}`).join('    ');
  return [edge('┌', '┐'), names.map((name) => `│ ${name} │`).join('───▶'), edge('└', '┘'), ''].join('\n');
}

function marked(name: string, statuses: ReadonlyMap<string, StepStatus> | undefined): string {
  const status = statuses?.get(name);
  return status === undefined ? plain(name) : `${plain(name)} [${status}]`;
}

function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}
