/** What the OpenAPI document says of an endpoint, in one decorator. */
import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import { ACCESS_METADATA } from '../auth/route-access.ts';
import type { Access } from '../auth/route-access.ts';
import type { Confinement, EndpointScope } from '../auth/scope.ts';
import { PROBLEMS } from '../http/problem.ts';
import type { ProblemCode } from '../http/problem.ts';

export type Answer =
  | { readonly description: string; readonly schema: z.ZodType }
  /** An answer that is not JSON. */
  | { readonly description: string; readonly mediaType: string };

export interface OperationOptions {
  readonly summary: string;
  readonly description?: string;
  /** By status code. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beside the ones every endpoint has. */
  readonly problems?: readonly ProblemCode[];
  /** What a caller's key must be allowed. */
  readonly scope: EndpointScope;
  /** How it serves a key that is confined to a namespace. Default: it refuses it. */
  readonly confinement?: Confinement;
}

export const PROBLEM_CONTENT = {
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
};

function problemAnswers(codes: readonly ProblemCode[]) {
  const byStatus = Map.groupBy([...new Set(codes)], (code) => PROBLEMS[code].status);
  return [...byStatus].map(([status, same]) =>
    ApiResponse({ status, description: same.join(' or '), content: PROBLEM_CONTENT }),
  );
}

function successAnswer(status: number, answer: Answer): MethodDecorator {
  const { description } = answer;
  if ('schema' in answer) return ApiResponse({ status, description, standardSchema: answer.schema });
  return ApiResponse({
    status,
    description,
    content: { [answer.mediaType]: { schema: { type: 'string' } } },
  });
}

export function Operation(options: OperationOptions): MethodDecorator {
  const { summary, description, answers, problems = [], scope, confinement } = options;
  const open = scope === 'open' || scope === 'signed';
  const always: readonly ProblemCode[] = open
    ? ['VALIDATION_FAILED']
    : ['VALIDATION_FAILED', 'UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED'];
  const access: Access = { scope, confinement };
  return applyDecorators(
    SetMetadata(ACCESS_METADATA, access),
    ApiExtension('x-spine-scope', scope),
    ...(confinement === undefined ? [] : [ApiExtension('x-spine-confinement', confinement)]),
    ApiOperation({
      summary,
      ...(description === undefined ? {} : { description }),
      ...(open ? { security: [] } : {}),
    }),
    ...Object.entries(answers).map(([status, answer]) => successAnswer(Number(status), answer)),
    ...problemAnswers([...always, ...problems, 'INTERNAL', 'UNAVAILABLE']),
  );
}
