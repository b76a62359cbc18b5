/** The OpenAPI 3.1 document: from the routes Nest knows and the zod schemas their parameters and answers carry. */
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { API_VERSION } from '../version.ts';
import { addExamples } from './add-examples.ts';
import { PROBLEM_CONTENT } from './operation.decorator.ts';
import { problemJson } from './problem.schema.ts';

const DESCRIPTION = `Submit runs, watch them, and deal with the ones that failed.

Successes are \`{ data, elapsed_ms, warnings, links }\`, lists add \`page\`. Errors are RFC 9457 problems
(\`application/problem+json\`) with a \`code\` for programs. Every answer carries \`X-Request-Id\`.`;

interface Converted {
  readonly schema: unknown;
  readonly components: Record<string, unknown>;
}

/** A zod schema with its named parts apart, as the document keeps them. */
function convert(schema: unknown, options: { schemaType: 'input' | 'output' }): Converted | undefined {
  if (!(schema instanceof z.ZodType)) return undefined;
  const {
    $defs,
    $schema: _dialect,
    ...rest
  } = z.toJSONSchema(schema, {
    io: options.schemaType,
    target: 'draft-2020-12',
    // Dates: their schema says what they are as text.
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // An answer may gain members; a client that refused them would break with the next release.
      if (options.schemaType === 'output' && jsonSchema.additionalProperties === false) {
        delete jsonSchema.additionalProperties;
      }
    },
  });
  return { schema: inDocument(rest), components: { ...inDocument($defs) } };
}

/** The same with references to where the document keeps named schemas. */
function inDocument<T>(schema: T): T {
  if (schema === undefined) return schema;
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as T;
}

export function createDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Spine')
    .setVersion(API_VERSION)
    .setDescription(DESCRIPTION)
    // Where the document came from.
    .addServer('/')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key.' }, 'bearer')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, 'api_key')
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('api_key')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (_controller, method) => method,
    autoTagControllers: false,
    standardSchemaConverter: convert,
  });
  const schemas = { ...document.components?.schemas };
  Object.assign(schemas, convert(problemJson, { schemaType: 'output' })?.components);
  document.components = { ...document.components, schemas: sorted(schemas) };
  for (const operation of operationsIn(document)) operation.parameters = inOrder(operation.parameters ?? []);
  documentMissingNames(document);
  addExamples(document);
  return document;
}

/** What a path names may be missing, or be no name at all, whatever the endpoint itself says. */
function documentMissingNames(document: OpenAPIObject): void {
  for (const [path, methods] of Object.entries(document.paths)) {
    if (!path.includes('{')) continue;
    for (const { responses } of Object.values(methods as object) as OperationObject[]) {
      responses['404'] ??= { description: 'NOT_FOUND', content: PROBLEM_CONTENT };
    }
  }
}

interface Parameter {
  readonly in?: string;
  readonly name?: string;
}

interface OperationObject {
  readonly responses: Record<string, unknown>;
}

interface WithParameters {
  parameters?: readonly Parameter[];
}

function operationsIn(document: OpenAPIObject): WithParameters[] {
  const methods = Object.values(document.paths).flatMap((path) => Object.values(path as object) as unknown[]);
  return methods.filter(
    (each): each is WithParameters => typeof each === 'object' && each !== null && 'responses' in each,
  );
}

/** Compilers apply decorators in orders of their own: the document is the same by whichever it was built. */
function inOrder(parameters: readonly Parameter[]): readonly Parameter[] {
  const keyOf = ({ in: place = '', name = '' }: Parameter): string => `${place} ${name}`;
  return [...parameters].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Named schemas in the order of their names, so that a new route does not move the others about. */
function sorted<T>(named: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1)));
}
