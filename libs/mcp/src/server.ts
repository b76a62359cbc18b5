/**
 * The MCP server over a client of the API. It has no access of its own: what the client's key may not do, a tool cannot.
 *
 * 1. A tool that changes something is neither listed nor run unless `allowWrites` is given. 2. Every answer is bounded, and
 * none holds a key or a hidden character (`answer/`). 3. At most `MAX_CALLS` calls of tools are under way in a process, over all
 * connections: further ones are refused, so that nobody can pile up work here. 4. When a client goes, its calls are given up.
 */
import { McpServer as SdkServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { CallToolResult, ServerNotification, ServerRequest } from '@modelcontextprotocol/sdk/types.js';
import { assertNever, systemClock } from '@spine/core';
import type { Clock } from '@spine/core';
import type { Logger } from '@spine/observability';
import type { SpineClient } from '@spine/sdk';
import { toResult } from './answer/answer.ts';
import type { Room } from './answer/answer.ts';
import { cleanText } from './answer/clean.ts';
import { RefusedError, toErrorResult, toToolProblem } from './answer/problems.ts';
import { CallSlots } from './call-slots.ts';
import { instructions } from './instructions.ts';
import { getPrompt, LISTED_PROMPTS } from './prompts.ts';
import { readResource, RESOURCE_TEMPLATES } from './resources.ts';
import type { ToolContext } from './tool.ts';
import { findTool, toolsFor } from './tools/toolset.ts';

/** Calls of tools that one process serves at a time. */
export const MAX_CALLS = 32;
/** Default of {@link McpOptions.answerCharacters}: some 10,000 tokens. */
export const ANSWER_CHARACTERS = 40_000;

export interface McpOptions {
  readonly version: string;
  /** Whether tools that change something are there. Default false. */
  readonly allowWrites?: boolean;
  /** Characters of data in one answer, from 1,000 on. Default 40,000. */
  readonly answerCharacters?: number;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** Whose calls a server makes. */
export interface Caller {
  readonly client: SpineClient;
  /** The client's key, which no answer may hold. */
  readonly secrets: readonly string[];
}

/** What is the same for every connection of a process. */
export interface McpShared extends McpOptions {
  readonly slots: CallSlots;
}

export function shareMcp(options: McpOptions): McpShared {
  return { ...options, slots: new CallSlots(MAX_CALLS) };
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** A server for one connection. */
export function createMcpServer(shared: McpShared, caller: Caller): SdkServer {
  const { version, allowWrites = false, clock = systemClock, logger } = shared;
  const room: Room = {
    characters: Math.max(1_000, shared.answerCharacters ?? ANSWER_CHARACTERS),
    secrets: caller.secrets,
  };
  const mcp = new SdkServer(
    { name: 'spine', title: 'Spine', version },
    { instructions: instructions(allowWrites) },
  );
  const { server } = mcp;
  server.onerror = (error) => logger.debug({ err: error }, 'mcp: protocol error');
  server.registerCapabilities({ tools: {}, resources: {}, prompts: {} });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: toolsFor(allowWrites).map(({ listed }) => listed),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    callTool(shared, { ...caller, room, clock }, params.name, params.arguments ?? {}, extra),
  );
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: [...LISTED_PROMPTS] }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) =>
    getPrompt(params.name, params.arguments ?? {}, clock),
  );
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: [] }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [...RESOURCE_TEMPLATES],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params }, { signal }) => {
    try {
      return await readResource(params.uri, { client: caller.client, call: { signal } }, room);
    } catch (error) {
      if (error instanceof McpError) throw error;
      const { code, message, fix } = toToolProblem(error);
      const told = [code, message, fix].filter((each) => each !== null).join(': ');
      throw new McpError(ErrorCode.InvalidRequest, cleanText(told, caller.secrets));
    }
  });
  return mcp;
}

interface Serving extends Caller {
  readonly room: Room;
  readonly clock: Clock;
}

async function callTool(
  shared: McpShared,
  serving: Serving,
  name: string,
  args: unknown,
  extra: Extra,
): Promise<CallToolResult> {
  const { logger, slots } = shared;
  const { room } = serving;
  const found = findTool(name, shared.allowWrites ?? false);
  // A tool that is not there is a fault of the client, not an answer for its model.
  if (found.type === 'unknown') {
    throw new McpError(ErrorCode.InvalidParams, `there is no tool ${JSON.stringify(name.slice(0, 100))}`);
  }
  const release = slots.take();
  try {
    if (found.type === 'read_only') {
      throw new RefusedError(
        'READ_ONLY',
        `${name} changes something, and this server only reads`,
        'its operator starts it with --allow-writes',
      );
    }
    if (found.type !== 'tool') return assertNever(found);
    if (release === null) {
      throw new RefusedError('BUSY', `${MAX_CALLS} calls are under way`, 'call again when others have ended');
    }
    const answer = await found.tool.run(args, contextOf(serving, extra));
    logger.debug({ tool: name }, 'mcp: tool answered');
    return toResult(answer, room);
  } catch (error) {
    const problem = toToolProblem(error);
    if (problem.code === 'INTERNAL' && problem.request_id === null) {
      if (!extra.signal.aborted) logger.error({ err: error, tool: name }, 'mcp: a tool failed');
    } else {
      logger.debug({ tool: name, code: problem.code }, 'mcp: tool refused');
    }
    return toErrorResult(problem, room.secrets);
  } finally {
    release?.();
  }
}

function contextOf({ client, clock }: Serving, extra: Extra): ToolContext {
  const { signal } = extra;
  const progressToken = extra._meta?.progressToken;
  return {
    client,
    clock,
    call: { signal },
    progress: (fraction, message) => {
      if (progressToken === undefined) return;
      const params = {
        progressToken,
        progress: fraction,
        total: 1,
        ...(message === null ? {} : { message }),
      };
      // Whoever waited may have gone; the call's signal says so to the tool.
      extra.sendNotification({ method: 'notifications/progress', params }).catch(() => undefined);
    },
  };
}
