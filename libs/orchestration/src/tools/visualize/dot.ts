import { assertNever } from '@spine/core';
import type { StepKind, WorkflowInput } from '../../workflow/model.ts';
import { pictureOf, STATUS_COLOURS } from './describe.ts';
import type { DrawOptions } from './describe.ts';

/** A graph in the DOT language of Graphviz; `dot -Tsvg` makes an image of it. Order alone is a dotted arrow. */
export function visualizeDot(workflow: WorkflowInput, options: DrawOptions = {}): string {
  const { nodes, arrows } = pictureOf(workflow, options);
  return [
    `digraph ${quoted(workflow.name)} {`,
    '  rankdir=TB;',
    '  node [fontname="sans-serif", style="filled", fillcolor="#ffffff"];',
    ...nodes.map(({ id, step, lines, status }) => {
      const colour = status === null ? '' : `, fillcolor="${STATUS_COLOURS[status]}", tooltip="${status}"`;
      return `  ${id} [label=${quoted(lines.join('\n'))}, shape=${shapeName(step.kind)}${colour}];`;
    }),
    ...arrows.map(({ from, to, kind, label }) => {
      const styles = [
        ...(label === '' ? [] : [`label=${quoted(label)}`]),
        ...(kind === 'order' ? ['style=dotted'] : []),
      ];
      return `  ${from} -> ${to}${styles.length === 0 ? '' : ` [${styles.join(', ')}]`};`;
    }),
    '}',
    '',
  ].join('\n');
}

function shapeName(kind: StepKind): string {
  switch (kind) {
    case 'operation':
      return 'box';
    case 'lambda':
      return 'ellipse';
    case 'choice':
      return 'diamond';
    case 'wait':
      return 'octagon';
    case 'map':
      return 'parallelogram';
    case 'workflow':
      return 'component';
    case 'approval':
      return 'hexagon';
    default:
      return assertNever(kind);
  }
}

/** A quoted string: a backslash would begin one of DOT's own escapes, a line break becomes one. */
function quoted(text: string): string {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\uFFFE\uFFFF]+/gu, ' ')
      .replaceAll('\\', '\\\\')
      .replaceAll('"', '\\"'),
  );
  return `"${lines.join('\\n')}"`;
}
