/** What an error is to an assistant: a code to decide by, what is wrong field by field, and what to do about it. */
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { ConfigError, ValidationError } from '@spine/core';
import {
  isProblem,
  SpineAnswerError,
  SpineConfigError,
  SpineConnectionError,
  SpineTimeoutError,
} from '@spine/sdk';
import type { AnySpineProblem } from '@spine/sdk';
import type { z } from 'zod';
import { clean } from './clean.ts';
import { fitValue } from './fit.ts';

export interface FieldProblem {
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

export interface ToolProblem {
  /** A problem's code as the API has it, or one of this server: see docs/mcp.md. */
  readonly code: string;
  readonly message: string;
  readonly errors: readonly FieldProblem[];
  readonly fix: string | null;
  /** Finds the request in the API's logs. */
  readonly request_id: string | null;
}

const NOTHING = { errors: [], fix: null, request_id: null };
const MAX_CHARACTERS = 8_000;

/** Arguments that a tool does not take. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
  readonly errors: readonly FieldProblem[];

  constructor(error: z.ZodError) {
    const errors = error.issues.flatMap((issue): FieldProblem[] => {
      const { code, message } = issue;
      // Each by its name: the message has them all in one.
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys : null;
      if (unknown !== null)
        return unknown.map((field) => ({ field, code, message: 'not an argument of this tool' }));
      return [{ field: issue.path.map(String).join('.') || 'arguments', code, message }];
    });
    super(errors.map(({ field, message }) => `${field}: ${message}`).join('; '));
    this.errors = errors;
  }
}

/** Why a tool is not run although there is one of that name. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: 'READ_ONLY' | 'BUSY';
  readonly fix: string;

  constructor(code: 'READ_ONLY' | 'BUSY', message: string, fix: string) {
    super(message);
    this.code = code;
    this.fix = fix;
  }
}

function fixOf(problem: AnySpineProblem): string | null {
  const { members, retryAfterMs } = problem;
  const later =
    retryAfterMs === null ? 'try again later' : `try again in ${Math.ceil(retryAfterMs / 1_000)} s`;
  switch (problem.code) {
    case 'VALIDATION_FAILED':
      return 'change the fields that `errors` names; function_get has the params that a handler takes';
    case 'UNAUTHENTICATED':
      return 'this server needs an API key that is good: its operator sets SPINE_API_KEY or --key-file; over HTTP the client sends it as bearer token';
    case 'FORBIDDEN': {
      const { required_scope: scope } = members;
      return typeof scope === 'string'
        ? `the key lacks the scope ${scope}: its operator has to give another one`
        : 'the key may not do this: its operator has to give another one';
    }
    case 'NOT_FOUND':
      return 'look for the right id or name with the tool that lists them';
    case 'CONFLICT':
    case 'NOT_CANCELLABLE':
    case 'ALREADY_COMPLETE':
      return 'look at it as it is now before anything else';
    case 'PAYLOAD_TOO_LARGE':
      return 'send less, or a reference to where the data is';
    case 'LOCKED':
    case 'RATE_LIMITED':
    case 'QUOTA_EXCEEDED':
    case 'UNAVAILABLE':
      return later;
    case 'UNSUPPORTED_MEDIA_TYPE':
    case 'INTERNAL':
      return 'its operator finds the request_id in the log of the API';
    default:
      // A newer API may have codes beyond these.
      return null;
  }
}

export function toToolProblem(error: unknown): ToolProblem {
  if (error instanceof ArgumentError) {
    const { message, errors } = error;
    return {
      ...NOTHING,
      code: 'VALIDATION_FAILED',
      message,
      errors,
      fix: 'tools/list has the arguments of each tool',
    };
  }
  if (error instanceof RefusedError)
    return { ...NOTHING, code: error.code, message: error.message, fix: error.fix };
  if (isProblem(error)) {
    const { code, detail, errors, requestId } = error;
    const fields = errors.map(({ field, code, message }) => ({ field, code, message }));
    return { code, message: detail, errors: fields, fix: fixOf(error), request_id: requestId };
  }
  if (error instanceof ValidationError) {
    const errors = error.issues.map(({ field, code, message }) => ({ field, code, message }));
    return { ...NOTHING, code: 'VALIDATION_FAILED', message: error.message, errors };
  }
  if (error instanceof SpineConnectionError) {
    const code = error instanceof SpineTimeoutError ? 'NO_ANSWER_IN_TIME' : 'NO_CONNECTION';
    const fix = 'is the API running? Its operator checks SPINE_URL; whether the call was served is not known';
    return { ...NOTHING, code, message: error.message, fix };
  }
  if (error instanceof SpineAnswerError) {
    return {
      ...NOTHING,
      code: 'UNEXPECTED_ANSWER',
      message: error.message,
      fix: 'its operator checks SPINE_URL',
    };
  }
  if (error instanceof SpineConfigError || error instanceof ConfigError) {
    return { ...NOTHING, code: 'CONFIG', message: error.message, fix: 'its operator corrects the setting' };
  }
  // Nobody foresaw it: what it says may be about anything, and is for the log.
  return { ...NOTHING, code: 'INTERNAL', message: 'the MCP server failed', fix: 'its log says why' };
}

/** @param secrets texts that no answer may hold */
export function toErrorResult(problem: ToolProblem, secrets: readonly string[]): CallToolResult {
  const structuredContent = { error: fitValue(clean(problem, secrets), MAX_CHARACTERS).value };
  return {
    isError: true,
    structuredContent,
    content: [{ type: 'text', text: JSON.stringify(structuredContent) }],
  };
}
