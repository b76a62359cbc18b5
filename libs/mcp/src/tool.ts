/** What a tool is: a description for who chooses, a schema for what it takes, and one call of the API behind it. */
import { ToolSchema } from '@modelcontextprotocol/sdk/types.js';
import type { Tool as ListedTool, ToolAnnotations } from '@modelcontextprotocol/sdk/types.js';
import { assertNever } from '@spine/core';
import type { Clock } from '@spine/core';
import type { CallOptions, SpineClient } from '@spine/sdk';
import { z } from 'zod';
import type { Answer } from './answer/answer.ts';
import { ArgumentError } from './answer/problems.ts';

/** What a call of a tool does to the deployment. */
export type Effect =
  /** Nothing. */
  | 'reads'
  /** Adds something, once more with every call. */
  | 'adds'
  /** Changes something; the same call again changes nothing more. */
  | 'changes'
  /** Ends something that cannot be taken up again. */
  | 'ends';

/** What tools work with. */
export interface ToolContext {
  readonly client: SpineClient;
  /** Of the call: aborts when whoever asked has gone. */
  readonly call: CallOptions & { readonly signal: AbortSignal };
  readonly clock: Clock;
  /** Tells whoever waits how far it is, from 0 to 1. */
  readonly progress: (fraction: number, message: string | null) => void;
}

export interface Tool {
  readonly name: string;
  readonly effect: Effect;
  /** As clients see it. */
  readonly listed: ListedTool;
  /** @throws ArgumentError, and what the API's client throws */
  run(args: unknown, context: ToolContext): Promise<Answer>;
}

export interface ToolSpec<Input extends z.ZodObject> {
  /** As in `run_list`: the noun first, so that what belongs together stands together. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly input: Input;
  readonly run: (args: z.output<Input>, context: ToolContext) => Promise<Answer>;
}

/** @see https://modelcontextprotocol.io/specification (tool annotations) */
function annotationsOf(effect: Effect): ToolAnnotations {
  switch (effect) {
    case 'reads':
      return { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
    case 'adds':
      // What a handler does reaches as far as the handler does.
      return { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true };
    case 'changes':
      return { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false };
    case 'ends':
      return { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false };
    default:
      return assertNever(effect);
  }
}

function schemaOf(input: z.ZodObject): ListedTool['inputSchema'] {
  const { $schema: _, ...schema } = z.toJSONSchema(input, { io: 'input' });
  return ToolSchema.shape.inputSchema.parse(schema);
}

export function defineTool<Input extends z.ZodObject>(spec: ToolSpec<Input>): Tool {
  const { name, title, description, effect, input } = spec;
  const annotations = annotationsOf(effect);
  return {
    name,
    effect,
    listed: { name, title, description, inputSchema: schemaOf(input), annotations },
    run: async (args, context) => {
      const parsed = input.safeParse(args);
      if (!parsed.success) throw new ArgumentError(parsed.error);
      return spec.run(parsed.data, context);
    },
  };
}
