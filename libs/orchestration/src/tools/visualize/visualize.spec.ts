import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '@spine/core';
import type { StepStatus } from '../../engine/state.ts';
import type { WorkflowInput } from '../../workflow/model.ts';
import { visualizeAscii } from './ascii.ts';
import { visualizeSummary } from './describe.ts';
import { visualizeDot } from './dot.ts';
import { visualizeMermaid } from './mermaid.ts';
import { SVG_LIMITS, visualizeSvg } from './svg.ts';

const chain: WorkflowInput = {
  name: 'etl.chain',
  steps: ['extract', 'transform', 'load'].map((name) => ({
    kind: 'operation',
    name,
    handler: `data.${name}`,
  })),
};
const branching: WorkflowInput = {
  name: 'etl.branching',
  policy: { mode: 'parallel' },
  steps: [
    { kind: 'operation', name: 'fetch', handler: 'sec.fetch' },
    {
      kind: 'choice',
      name: 'large',
      dependsOn: ['fetch'],
      routes: [{ condition: 'steps.fetch.output.n > 9', thenStep: 'each' }],
      elseStep: 'ask',
    },
    {
      kind: 'map',
      name: 'each',
      items: '{{ steps.fetch.output.rows }}',
      iterator: [{ name: 'load', kind: 'lambda', handler: 'load' }],
    },
    { kind: 'approval', name: 'ask', approvers: ['risk'] },
    { kind: 'workflow', name: 'report', workflow: 'etl.report', dependsOn: ['each', 'ask'] },
    { kind: 'wait', name: 'pause', wait: { durationSeconds: 60 }, dependsOn: ['report'] },
  ],
};
const statuses = new Map<string, StepStatus>([
  ['extract', 'completed'],
  ['transform', 'running'],
]);

describe('Mermaid', () => {
  it('has a shape a kind and the conditions at the arrows', () => {
    expect(visualizeMermaid(branching)).toBe(`flowchart TD
  s0["fetch<br/>operation: sec.fetch"]
  s1{"large<br/>choice: 1 route"}
  s2[/"each<br/>map: each item: load"/]
  s3{{"ask<br/>approval: risk"}}
  s4(["report<br/>workflow: etl.report"])
  s5[["pause<br/>wait: waits 60 s"]]
  s0 --> s1
  s1 -->|"steps.fetch.output.n #62; 9"| s2
  s1 -->|"else"| s3
  s2 --> s4
  s3 --> s4
  s4 --> s5
`);
  });

  it('colours a run', () => {
    const text = visualizeMermaid(chain, { statuses });
    expect(text).toContain('s0 -.-> s1');
    expect(text).toContain('classDef completed fill:#86efac,color:#111827\n  class s0 completed\n');
    expect(text).toContain('class s1 running');
    expect(text).not.toContain('class s2');
  });
});

describe('DOT', () => {
  it('says the same for Graphviz', () => {
    const text = visualizeDot(branching, { statuses: new Map([['ask', 'awaiting_approval']]) });
    expect(text).toContain('digraph "etl.branching" {');
    expect(text).toContain('s1 [label="large\\nchoice: 1 route", shape=diamond];');
    expect(text).toContain('fillcolor="#fcd34d", tooltip="awaiting_approval"');
    expect(text).toContain('s1 -> s2 [label="steps.fetch.output.n > 9"];');
    expect(visualizeDot(chain)).toContain('s0 -> s1 [style=dotted];');
  });
});

describe('SVG', () => {
  it('has a node a step, coloured by its status, and an arrow an edge', async () => {
    const svg = await visualizeSvg(chain, { statuses });
    expect(svg).toContain('<svg ');
    expect(svg.match(/class="node"/g)).toHaveLength(3);
    expect(svg.match(/class="edge"/g)).toHaveLength(2);
    expect(svg).toContain('>transform</text>');
    expect(svg).toContain('fill="#86efac"');
  });

  it('is refused for what would take long to draw', async () => {
    const steps = Array.from({ length: SVG_LIMITS.steps + 1 }, (_, index) => ({
      kind: 'lambda' as const,
      name: `s${index}`,
      handler: 'f',
    }));
    await expect(visualizeSvg({ name: 'many', steps })).rejects.toThrow(ValidationError);
    const dense = steps.slice(0, 60).map((step, index) => ({
      ...step,
      dependsOn: steps.slice(Math.max(0, index - 9), index).map(({ name }) => name),
    }));
    const workflow: WorkflowInput = { name: 'dense', policy: { mode: 'parallel' }, steps: dense };
    await expect(visualizeSvg(workflow)).rejects.toThrow('at most 400 arrows');
  });
});

describe('text', () => {
  it('draws a short chain as boxes', () => {
    expect(visualizeAscii(chain)).toBe(
      '┌─────────┐    ┌───────────┐    ┌──────┐\n│ extract │───▶│ transform │───▶│ load │\n└─────────┘    └───────────┘    └──────┘\n',
    );
    expect(visualizeAscii(chain, { statuses })).toContain('│ transform [running] │');
  });

  it('lists waves of anything else, and what can never start', () => {
    expect(visualizeAscii(branching)).toBe(`etl.branching
1  fetch (operation: sec.fetch)
2  large (choice: 1 route) <- fetch
3  each (map: each item: load) <- large
   ask (approval: risk) <- large
4  report (workflow: etl.report) <- each, ask
5  pause (wait: waits 60 s) <- report
`);
    const cycle: WorkflowInput = {
      name: 'cycle',
      policy: { mode: 'parallel' },
      steps: ['a', 'b'].map((name, at) => ({
        kind: 'lambda',
        name,
        handler: 'f',
        dependsOn: [at === 0 ? 'b' : 'a'],
      })),
    };
    expect(visualizeAscii(cycle)).toBe('cycle\n?  a (lambda: f) <- b\n?  b (lambda: f) <- a\n');
  });
});

describe('a summary', () => {
  it('counts', () => {
    expect(visualizeSummary(branching)).toEqual({
      name: 'etl.branching',
      mode: 'parallel',
      steps: 6,
      kinds: { operation: 1, choice: 1, map: 1, approval: 1, workflow: 1, wait: 1 },
      depth: 5,
      width: 2,
      first: ['fetch'],
      last: ['pause'],
      handlers: ['load', 'sec.fetch'],
      workflows: ['etl.report'],
      choices: [{ step: 'large', targets: ['each', 'ask'] }],
    });
  });
});

describe('texts of a definition', () => {
  const sneaky = fc.oneof(
    fc.constantFrom(
      'a"]; click s0 "javascript:alert(1)"',
      '"]\nclick s0 href "http://x"',
      '<script>x</script>',
      '\\',
      'a\\" ]; s9 [label="x',
      '\u001b[2J',
      '%%{init: {}}%%',
      'end',
      '`x`',
      '\u202e',
    ),
    fc.string({ unit: 'binary', minLength: 1 }),
  );
  const drawn = (text: string): WorkflowInput => ({
    name: text,
    policy: { mode: 'parallel' },
    steps: [
      { kind: 'choice', name: text, routes: [{ condition: text, thenStep: 'next' }] },
      { kind: 'operation', name: 'next', handler: text },
    ],
  });

  it('never become part of the drawing language', () => {
    fc.assert(
      fc.property(sneaky, (text) => {
        fc.pre(text !== 'next');
        const label = /^[\p{L}\p{N} _.,:=?!+/#;-]*$/u;
        const lines = visualizeMermaid(drawn(text)).trimEnd().split('\n');
        expect(lines).toHaveLength(4);
        const texts = lines.slice(1).map((line) => line.replaceAll('<br/>', ' ').split('"'));
        expect(texts.map((parts) => parts.length)).toEqual([3, 3, 3]);
        for (const parts of texts) expect(parts[1]).toMatch(label);

        const dot = visualizeDot(drawn(text)).trimEnd().split('\n');
        expect(dot).toHaveLength(7);
        // Outside of quoted strings only what the drawing itself says.
        const bare = dot.map((line) => line.replace(/"(?:[^"\\]|\\["\\n])*"/g, '""'));
        expect(bare[0]).toBe('digraph "" {');
        expect(bare.slice(3)).toEqual([
          '  s0 [label="", shape=diamond];',
          '  s1 [label="", shape=box];',
          '  s0 -> s1 [label=""];',
          '}',
        ]);
        expect(visualizeAscii(drawn(text))).toMatch(/^[^\p{Cc}\p{Cf}]*$/mu);
      }),
    );
  });

  it('never become elements or attributes of an image', async () => {
    // What an image of this workflow consists of, whatever its texts say.
    const tagsOf = (svg: string): string[] =>
      [...svg.replace(/<!--.*?-->/gs, '').matchAll(/<([^\s>/]+)([^>]*)>/g)].map(([, tag, attributes]) =>
        [tag, ...[...(attributes ?? '').matchAll(/([\w:]+)=/g)].map(([, name]) => name)].join(' '),
      );
    const usual = new Set(tagsOf(await visualizeSvg(drawn('plain'))));
    expect([...usual].join(' ')).not.toMatch(/script|href|\bon/);
    await fc.assert(
      fc.asyncProperty(sneaky, async (text) => {
        fc.pre(text !== 'next');
        const svg = await visualizeSvg(drawn(text));
        expect(tagsOf(svg).filter((tag) => !usual.has(tag))).toEqual([]);
        expect(svg.match(/class="node"/g)).toHaveLength(2);
      }),
      { numRuns: 40 },
    );
  });
});
