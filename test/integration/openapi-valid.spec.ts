/** The OpenAPI document: right by an independent linter, and with examples that are what they are examples of. */
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildOpenApiDocument } from '@spine/api';
import { bodySchema, operationsOf, schemaChecker } from './openapi-support.ts';
import type { ApiOperation } from './openapi-support.ts';
import type { Json } from './api-support.ts';

let document: Json;
let operations: ApiOperation[];
beforeAll(async () => {
  document = JSON.parse(JSON.stringify(await buildOpenApiDocument())) as Json;
  operations = operationsOf(document);
});

async function errorsIn(text: string): Promise<string[]> {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: text, absoluteRef: 'openapi.json', config });
  return problems
    .filter(({ severity }) => severity === 'error')
    .map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`);
}

/** What stands as examples of a content: one value, or several by name. */
function examplesIn(content: Json | undefined): unknown[] {
  if (content === undefined) return [];
  const several = Object.values(content['examples'] ?? {}).map((each) => each['value']);
  return content['example'] === undefined ? several : [content['example'], ...several];
}

describe('the document', () => {
  it('has no error by the recommended rules of Redocly', async () => {
    expect(await errorsIn(JSON.stringify(document))).toEqual([]);
  });

  it('would not pass with one', async () => {
    const { openapi, info, components } = document;
    const broken = {
      openapi,
      info,
      paths: {},
      servers: [],
      components: { securitySchemes: components?.['securitySchemes'] },
    };
    expect(await errorsIn(JSON.stringify(broken))).toMatchObject([
      expect.stringContaining('no-empty-servers'),
    ]);
  });

  it('has examples of every body, each of them valid', () => {
    const check = schemaChecker(document);
    const spec = operations.find(({ id }) => id === 'POST /api/v1/runs');
    const specSchema = spec === undefined ? undefined : bodySchema(spec);
    expect(check(specSchema ?? {}, { kind: 'task', name: 7 })).toMatch(/name/);
    const wrong: string[] = [];
    for (const each of operations) {
      const schema = bodySchema(each);
      if (schema === undefined) continue;
      const examples = examplesIn(each.operation['requestBody']?.['content']?.['application/json']);
      if (examples.length === 0) wrong.push(`${each.id}: none`);
      for (const example of examples) {
        const problem = check(schema, example);
        if (problem !== null) wrong.push(`${each.id}: ${problem} in ${JSON.stringify(example)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has an example of every success, each of them valid', () => {
    const check = schemaChecker(document);
    const wrong: string[] = [];
    for (const { id, operation } of operations) {
      for (const [status, response] of Object.entries(operation['responses'] ?? {})) {
        if (!status.startsWith('2')) continue;
        for (const [type, media] of Object.entries(response['content'] ?? {})) {
          const examples = examplesIn(media);
          if (examples.length === 0) wrong.push(`${id} ${status} ${type}: none`);
          const { schema } = media;
          for (const example of schema === undefined ? [] : examples) {
            const problem = schema === undefined ? null : check(schema, example);
            if (problem !== null) wrong.push(`${id} ${status}: ${problem} in ${JSON.stringify(example)}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
