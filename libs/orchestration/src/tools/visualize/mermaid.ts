import { assertNever } from '@spine/core';
import type { StepKind, WorkflowInput } from '../../workflow/model.ts';
import { pictureOf, STATUS_COLOURS } from './describe.ts';
import type { DrawOptions, Picture, PictureArrow, PictureNode } from './describe.ts';

/**
 * A Mermaid flowchart. Shapes: operation a rectangle, lambda rounded, choice a diamond, wait a subroutine, map a
 * parallelogram, workflow a double circle's stadium, approval a hexagon. Order alone is a dotted arrow.
 */
export function visualizeMermaid(workflow: WorkflowInput, options: DrawOptions = {}): string {
  const picture = pictureOf(workflow, options);
  const lines = [...picture.nodes.map(nodeLine), ...picture.arrows.map(arrowLine), ...colourLines(picture)];
  return ['flowchart TD', ...lines.map((line) => `  ${line}`), ''].join('\n');
}

function nodeLine({ id, step, lines }: PictureNode): string {
  const [open, close] = brackets(step.kind);
  return `${id}${open}"${lines.map(quoted).join('<br/>')}"${close}`;
}

function arrowLine({ from, to, kind, label }: PictureArrow): string {
  if (label !== '') return `${from} -->|"${quoted(label)}"| ${to}`;
  return kind === 'order' ? `${from} -.-> ${to}` : `${from} --> ${to}`;
}

function colourLines({ nodes }: Picture): string[] {
  const statuses = new Set(nodes.flatMap(({ status }) => (status === null ? [] : [status])));
  return [...statuses].flatMap((status) => [
    `classDef ${status} fill:${STATUS_COLOURS[status]},color:#111827`,
    `class ${nodes
      .filter((node) => node.status === status)
      .map(({ id }) => id)
      .join(',')} ${status}`,
  ]);
}

function brackets(kind: StepKind): readonly [string, string] {
  switch (kind) {
    case 'operation':
      return ['[', ']'];
    case 'lambda':
      return ['(', ')'];
    case 'choice':
      return ['{', '}'];
    case 'wait':
      return ['[[', ']]'];
    case 'map':
      return ['[/', '/]'];
    case 'workflow':
      return ['([', '])'];
    case 'approval':
      return ['{{', '}}'];
    default:
      return assertNever(kind);
  }
}

/** Only letters, digits, blanks and harmless signs stay: everything that Mermaid, Markdown or HTML read becomes a code point. */
function quoted(text: string): string {
  return [...text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')]
    .map((sign) => (/[\p{L}\p{N} _.,:=?!+/-]/u.test(sign) ? sign : `#${sign.codePointAt(0) ?? 63};`))
    .join('');
}
