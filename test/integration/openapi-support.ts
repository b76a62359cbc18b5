/** The OpenAPI document as tests walk it: operations, and JSON Schemas that values are held against. */
import { z } from 'zod';
import type { Json } from './api-support.ts';

export interface ApiOperation {
  /** `GET /api/v1/runs` */
  readonly id: string;
  readonly method: string;
  /** With `{name}` for its parameters. */
  readonly path: string;
  readonly scope: string;
  readonly operation: Json;
}

export function operationsOf(document: Json): ApiOperation[] {
  return Object.entries(document['paths'] ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      scope: String(operation['x-spine-scope']),
      operation,
    })),
  );
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: Json;
}

export function parametersOf({ operation }: ApiOperation, place: 'query' | 'path'): readonly Parameter[] {
  return z
    .array(z.looseObject({ name: z.string(), in: z.string(), schema: z.record(z.string(), z.unknown()) }))
    .parse(operation['parameters'] ?? [])
    .filter((each) => each.in === place)
    .map(({ name, in: where, schema }) => ({ name, in: where, schema: schema as Json }));
}

export function isEmpty(value: object | undefined): boolean {
  return value === undefined || Object.keys(value).length === 0;
}

type JsonSchema = Exclude<Parameters<typeof z.fromJSONSchema>[0], boolean>;

/** Holds values against schemas of a document; answers what is wrong, and nothing where all is right. */
export function schemaChecker(document: Json): (schema: Json, value: unknown) => string | null {
  const inline = <T>(part: unknown): T =>
    JSON.parse(JSON.stringify(part).replaceAll('"#/components/schemas/', '"#/$defs/')) as T;
  const $defs = inline<Record<string, JsonSchema>>(document['components']?.['schemas'] ?? {});
  const known = new Map<Json, z.ZodType>();
  return (schema, value) => {
    const read = known.get(schema) ?? z.fromJSONSchema({ ...inline<JsonSchema>(schema), $defs });
    known.set(schema, read);
    const parsed = read.safeParse(value);
    return parsed.success ? null : z.prettifyError(parsed.error);
  };
}

/** The schema of the success answer with this status, where it is JSON. */
export function answerSchema({ operation }: ApiOperation, status: number): Json | undefined {
  return operation['responses']?.[String(status)]?.['content']?.['application/json']?.['schema'];
}

export function bodySchema({ operation }: ApiOperation): Json | undefined {
  return operation['requestBody']?.['content']?.['application/json']?.['schema'];
}
