/** Gives every operation of a document an example of its body and of each success; what it has already stays. */
import type { OpenAPIObject } from '@nestjs/swagger';
import { exampleOf } from './example-of.ts';
import type { JsonSchema, NamedSchemas } from './example-of.ts';
import { REQUEST_EXAMPLES, TEXT_EXAMPLES } from './example-bodies.ts';

interface Media {
  schema?: unknown;
  example?: unknown;
  examples?: unknown;
}

interface Described {
  readonly content?: Record<string, Media>;
}

interface Exemplified {
  readonly operationId?: string;
  readonly requestBody?: unknown;
  readonly responses?: Readonly<Record<string, unknown>>;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function mediaOf(described: unknown): [type: string, media: Media][] {
  if (!isObject(described) || !('content' in described)) return [];
  const { content } = described as Described;
  return Object.entries(content ?? {}).filter(
    ([, media]) => media.example === undefined && media.examples === undefined,
  );
}

function isSchema(value: unknown): value is JsonSchema {
  return isObject(value);
}

function giveExamples(
  { operationId = '', requestBody, responses = {} }: Exemplified,
  schemas: NamedSchemas,
): void {
  for (const [, media] of mediaOf(requestBody)) {
    const written = REQUEST_EXAMPLES[operationId];
    media.example =
      written ?? (isSchema(media.schema) ? exampleOf(media.schema, schemas, 'request') : undefined);
  }
  for (const [status, response] of Object.entries(responses)) {
    if (!status.startsWith('2')) continue;
    for (const [type, media] of mediaOf(response)) {
      media.example =
        type === 'application/json' && isSchema(media.schema)
          ? exampleOf(media.schema, schemas, 'answer')
          : TEXT_EXAMPLES[type];
    }
  }
}

export function addExamples(document: OpenAPIObject): void {
  const schemas = (document.components?.schemas ?? {}) as NamedSchemas;
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path as object) as unknown[]) {
      if (isObject(operation) && 'responses' in operation) giveExamples(operation as Exemplified, schemas);
    }
  }
}
