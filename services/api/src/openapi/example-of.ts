/** An example of a JSON Schema: what a value of it looks like, the same each time. Pure. */
import { assertNever } from '@spine/core';
import { NAMED_VALUES, PATTERN_VALUES } from './example-values.ts';

/** What is read of a schema of the document; members that are not here only narrow what is made from these. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly example?: unknown;
  readonly examples?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

export type NamedSchemas = Readonly<Record<string, JsonSchema>>;

/** Deeper than this a schema that holds itself stops to. */
const MAX_DEPTH = 8;
const REF = '#/components/schemas/';

interface Place {
  readonly schemas: NamedSchemas;
  /** Of the member, where the schema is one. */
  readonly name: string;
  readonly depth: number;
  /** Requests show what has to be sent, answers everything. */
  readonly direction: 'request' | 'answer';
}

const FORMATS: Readonly<Record<string, string>> = {
  uuid: '0198c0de-0000-7000-8000-000000000001',
  'date-time': '2026-01-31T12:00:00.000Z',
  date: '2026-01-30',
};

const KINDS = ['object', 'array', 'string', 'integer', 'number', 'boolean', 'null'] as const;
type Kind = (typeof KINDS)[number] | 'any';

function kindOf({ type, properties, additionalProperties, items }: JsonSchema): Kind {
  const named = typeof type === 'string' ? [type] : (type ?? []);
  const first = named.find((each) => each !== 'null') ?? named[0];
  const kind = KINDS.find((each) => each === first);
  if (kind !== undefined) return kind;
  if (properties !== undefined || additionalProperties !== undefined) return 'object';
  return items === undefined ? 'any' : 'array';
}

function textOf({ format, pattern, minLength = 0, maxLength }: JsonSchema, name: string): string {
  const fixed = FORMATS[format ?? ''] ?? PATTERN_VALUES[pattern ?? ''];
  if (fixed !== undefined) return fixed;
  const named = NAMED_VALUES[name] ?? (name.endsWith('_id') ? FORMATS['uuid'] : undefined);
  const text = typeof named === 'string' ? named : 'text';
  return text.padEnd(minLength, '.').slice(0, maxLength);
}

function numberOf({ minimum, exclusiveMinimum, maximum }: JsonSchema, name: string): number {
  const named = NAMED_VALUES[name];
  const wanted = typeof named === 'number' ? named : 1;
  const low = Math.max(
    minimum ?? -Infinity,
    exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + 1,
  );
  return Math.min(Math.max(wanted, low), maximum ?? Infinity);
}

function objectOf(schema: JsonSchema, place: Place): Record<string, unknown> {
  const { properties = {}, required = [], propertyNames, additionalProperties } = schema;
  const shown = Object.entries(properties).filter(
    ([name]) => required.includes(name) || (place.direction === 'answer' && place.depth < MAX_DEPTH),
  );
  // Members whose names are a closed set are all there.
  const others = (propertyNames?.enum ?? []).filter((name) => typeof name === 'string');
  const value = typeof additionalProperties === 'object' ? additionalProperties : {};
  const within = (name: string): Place => ({ ...place, name, depth: place.depth + 1 });
  return Object.fromEntries([
    ...shown.map(([name, member]) => [name, valueOf(member, within(name))] as const),
    ...others
      .filter((name) => !(name in properties))
      .map((name) => [name, valueOf(value, within(name))] as const),
  ]);
}

function arrayOf({ items = {}, minItems = 0 }: JsonSchema, place: Place): readonly unknown[] {
  if (minItems === 0 && (place.depth >= MAX_DEPTH || place.name === 'warnings')) return [];
  return Array.from({ length: Math.max(1, minItems) }, () =>
    valueOf(items, { ...place, depth: place.depth + 1 }),
  );
}

/** All of several schemas at once, as far as members and texts go. */
function merged(schemas: readonly JsonSchema[]): JsonSchema {
  const all = schemas.reduce<JsonSchema>(
    (before, each) => ({
      ...before,
      ...each,
      properties: { ...before.properties, ...each.properties },
      required: [...(before.required ?? []), ...(each.required ?? [])],
    }),
    {},
  );
  const patterns = schemas.flatMap(({ pattern }) => pattern ?? []);
  return patterns.length === 0 ? all : { ...all, pattern: patterns.join(' ') };
}

function valueOf(schema: JsonSchema, place: Place): unknown {
  const { $ref, allOf, anyOf, oneOf } = schema;
  if ($ref !== undefined) {
    const target = place.schemas[$ref.slice(REF.length)];
    return target === undefined ? null : valueOf(target, { ...place, depth: place.depth + 1 });
  }
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.[0] !== undefined) return schema.examples[0];
  if ('const' in schema) return schema.const;
  if (schema.enum !== undefined) {
    const named = NAMED_VALUES[place.name];
    return schema.enum.includes(named) ? named : schema.enum[0];
  }
  if (allOf !== undefined) return valueOf(merged(allOf), place);
  const either = anyOf ?? oneOf;
  if (either !== undefined) return valueOf(either.find(({ type }) => type !== 'null') ?? {}, place);
  if (place.direction === 'request' && schema.default !== undefined) return schema.default;
  const kind = kindOf(schema);
  switch (kind) {
    case 'object':
      return objectOf(schema, place);
    case 'array':
      return arrayOf(schema, place);
    case 'string':
      return textOf(schema, place.name);
    case 'integer':
    case 'number':
      return numberOf(schema, place.name);
    case 'boolean':
      return NAMED_VALUES[place.name] === true;
    case 'null':
      return null;
    case 'any':
      return {};
    default:
      return assertNever(kind);
  }
}

/** @param schemas what its references name, as `#/components/schemas/<name>`. */
export function exampleOf(
  schema: JsonSchema,
  schemas: NamedSchemas,
  direction: 'request' | 'answer',
): unknown {
  return valueOf(schema, { schemas, name: '', depth: 0, direction });
}
