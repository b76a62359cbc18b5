import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '@spine/core';
import { findWorkflowYamlIssues, parseWorkflowYaml } from './document.ts';
import { workflowEditorSchema } from './editor-schema.ts';
import { YAML_LIMITS } from './source.ts';

const FILE = `apiVersion: spine.io/v1
kind: Workflow
metadata:
  name: etl.filings
  version: 3
  domain: sec
  tags: [sec, daily]
spec:
  defaults: { form: 10-K }
  policy: { mode: parallel, max_concurrency: 4 }
  steps:
    - name: fetch
      kind: operation
      handler: sec.fetch
      params: &params { form: '{{ params.form }}' }
      retry: { strategy: linear, max_retries: 2 }
    - name: large
      kind: choice
      depends_on: [fetch]
      routes:
        - { condition: 'steps.fetch.output.count > 100', then_step: split }
      else_step: store
    - { name: split, kind: lambda, handler: split }
    - { name: store, kind: operation, handler: sec.store, params: *params }
`;

const places = (text: string): string[] =>
  findWorkflowYamlIssues(text).map(({ line, column, field, code }) => `${line}:${column} ${field} ${code}`);
const codes = (text: string): string[] => findWorkflowYamlIssues(text).map(({ code }) => code);

describe('a workflow file', () => {
  it('is the definition that it says', () => {
    const { definition, version } = parseWorkflowYaml(FILE);
    expect(version).toBe(3);
    expect(definition).toMatchObject({
      name: 'etl.filings',
      tags: ['sec', 'daily'],
      policy: { mode: 'parallel', maxConcurrency: 4 },
      steps: [
        { name: 'fetch', params: { form: '{{ params.form }}' }, retry: { maxRetries: 2 } },
        { routes: [{ thenStep: 'split' }], elseStep: 'store' },
        { kind: 'lambda' },
        { params: { form: '{{ params.form }}' } },
      ],
    });
    expect(definition.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('tells every wrong field with its line and column', () => {
    const text = FILE.replace('spine.io/v1', 'spine.io/v2')
      .replace('handler: sec.fetch', 'handler: 7')
      .replace('else_step', 'otherwise')
      .replace('max_concurrency: 4', 'max_concurrency: 0');
    expect(places(text)).toEqual([
      '1:1 apiVersion invalid_value',
      '10:29 spec.policy.max_concurrency too_small',
      '14:7 spec.steps[0].handler invalid_type',
      '22:7 spec.steps[1].otherwise unknown_field',
    ]);
  });

  it('tells what is wrong with the workflow where it stands', () => {
    const text = FILE.replace('[fetch]', '[fetsh]').replace('name: etl', 'name: 9etl');
    expect(places(text)).toEqual(['4:3 metadata.name invalid_format']);
    expect(places(text.replace('9etl', 'etl'))).toContain(
      '19:20 spec.steps[1].depends_on[0] unknown_dependency',
    );
    expect(() => parseWorkflowYaml(text)).toThrow(/^line 4, column 3: metadata.name: must be a letter/);
  });

  it('of a union says what is wrong with the alternative that was meant', () => {
    const wait = (wait: string): string =>
      `apiVersion: spine.io/v1\nkind: Workflow\nmetadata: { name: w }\nspec:\n  steps:\n    - { name: a, kind: wait, wait: ${wait} }\n`;
    expect(places(wait('{ duration_seconds: -1 }'))).toEqual([
      '6:38 spec.steps[0].wait.duration_seconds too_small',
    ]);
    expect(places(wait('{ signal: go, timeout: 5 }'))).toEqual([
      '6:50 spec.steps[0].wait.timeout unknown_field',
    ]);
  });

  it('names handlers that are not there', () => {
    const [issue] = (() => {
      try {
        parseWorkflowYaml(FILE, { hasHandler: (_kind, handler) => handler !== 'split' });
        return [];
      } catch (error) {
        return error instanceof ValidationError ? error.issues : [];
      }
    })();
    expect(issue).toMatchObject({ line: 23, code: 'missing_handler', field: 'spec.steps[2].handler' });
  });
});

describe('YAML that is not taken', () => {
  it.each([
    ['a key that is there twice', FILE.replace('kind: operation', 'name: other'), '13:7  duplicate_key'],
    ['a tag', FILE.replace('handler: split', 'handler: !js split'), '23:45  unknown_tag'],
    ['binary data', FILE.replace('name: etl.filings', 'name: !!binary aGk='), '4:9  unknown_tag'],
    ['an unknown alias', FILE.replace('*params', '*other'), '24:67  unknown_alias'],
    ['an anchor in itself', FILE.replace('[fetch]', '&x [*x]'), '19:23  circular_alias'],
    ['a number too long', FILE.replace('10-K', '9007199254740993'), '9:21  number'],
    ['infinity', FILE.replace('10-K', '.inf'), '9:21  number'],
    ['a second document', `${FILE}---\nmore: 1\n`, '25:1  invalid_yaml'],
    ['broken text', FILE.replace('[sec, daily]', '[sec, daily'), '8:1  invalid_yaml'],
    ['a prototype', FILE.replace('form: 10-K', '__proto__: 1'), '9:15 spec.defaults.__proto__ forbidden_key'],
    ['nothing', '', '1:1  invalid_type'],
  ])('%s', (_what, text, place) => {
    expect(places(text)).toContain(place);
  });

  it('keys that are merged or not text', () => {
    expect(codes(FILE.replace('handler: split', '<<: { handler: split }'))).toContain('unknown_field');
    expect(codes(FILE.replace('form: 10-K', '[a]: 1'))).toContain('invalid_yaml');
  });
});

describe('YAML made to cost much', () => {
  const head =
    'apiVersion: spine.io/v1\nkind: Workflow\nmetadata: { name: w }\nspec:\n  steps: []\n  defaults:\n';

  it.each([
    ['lists', '['.repeat(500_000)],
    ['maps', '{a: '.repeat(100_000)],
    ['dashes', '- '.repeat(200_000)],
    ['keys', '? '.repeat(200_000)],
  ])('nests %s without end', (_what, text) => {
    expect(codes(text)).toEqual(['too_deep']);
  });

  it('nests as deep as JSON may, in blocks too', () => {
    const nested = (depth: number): string =>
      `${head}    a:\n${Array.from({ length: depth }, (_, at) => `${' '.repeat(6 + 2 * at)}- a:`).join('\n')} 1\n`;
    expect(codes(nested(30))).toEqual(['empty']);
    expect(codes(nested(60))).toContain('too_deep');
  });

  it('makes much of few aliases', () => {
    const levels = ['    a: &a [x,x,x,x,x,x,x,x,x,x]'];
    'bcdefghi'.split('').forEach((name, at) => {
      levels.push(
        `    ${name}: &${name} [${Array(10)
          .fill(`*${'abcdefghi'.charAt(at)}`)
          .join(',')}]`,
      );
    });
    expect(codes(`${head}${levels.join('\n')}\n`)).toEqual(['too_many_aliases']);
    const wide = `    a: &a [${'x,'.repeat(20_000)}]\n    b: [${'*a,'.repeat(60)}]\n`;
    expect(codes(`${head}${wide}`)).toEqual(['too_many_aliases']);
    expect(codes(`${head}    a: &a 1\n    b: [${'*a,'.repeat(YAML_LIMITS.aliases + 1)}]\n`)).toEqual([
      'too_many_aliases',
    ]);
    expect(codes(`${head}    a: &a 1\n    b: [${'*a,'.repeat(YAML_LIMITS.aliases)}]\n`)).toEqual(['empty']);
  });

  it('has a great many keys', () => {
    const keys = Array.from({ length: 6_000 }, (_, at) => `    k${at}: 1`).join('\n');
    expect(codes(`${head}${keys}\n    k7: 2\n`)).toEqual(['duplicate_key']);
  });

  it('is longer than any workflow', () => {
    expect(codes('#'.repeat(YAML_LIMITS.length + 1))).toEqual(['too_large']);
  });
});

describe('the schema for editors', () => {
  const file = new URL('../../../workflow.schema.json', import.meta.url);

  it('is the committed one; write-editor-schema.ts writes it', () => {
    const schema = workflowEditorSchema();
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  it('knows the fields and the kinds', () => {
    const text = JSON.stringify(workflowEditorSchema());
    for (const word of ['apiVersion', 'max_concurrency', 'partition_by', 'on_failure', '"approval"'])
      expect(text).toContain(word);
  });
});
