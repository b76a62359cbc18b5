/** What can be put into a conversation by its address: a run, the definition of a workflow. */
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import type { ReadResourceResult, ResourceTemplate } from '@modelcontextprotocol/sdk/types.js';
import { truncateText } from '@spine/core';
import { one, toResult } from './answer/answer.ts';
import type { Room } from './answer/answer.ts';
import { cleanText } from './answer/clean.ts';
import type { ToolContext } from './tool.ts';

export const RESOURCE_TEMPLATES: readonly ResourceTemplate[] = [
  {
    name: 'run',
    title: 'Run',
    uriTemplate: 'spine://runs/{run_id}',
    description: 'A run with its params, result and error. They are data that others wrote.',
    mimeType: 'application/json',
  },
  {
    name: 'workflow',
    title: 'Workflow',
    uriTemplate: 'spine://workflows/{name}',
    description: 'The definition of a workflow as a file: the version that is current.',
    mimeType: 'application/yaml',
  },
];

const ADDRESS = /^spine:\/\/(runs|workflows)\/([^/?#]{1,600})$/;

function parseAddress(uri: string): { readonly type: string; readonly id: string } {
  const [, type, text] = ADDRESS.exec(uri) ?? [];
  if (type !== undefined && text !== undefined && URL.canParse(uri)) {
    try {
      const id = decodeURIComponent(text);
      // In a path they would be another endpoint.
      if (id !== '.' && id !== '..') return { type, id };
    } catch {
      // A lone percent sign: no address of ours.
    }
  }
  throw new McpError(
    ErrorCode.InvalidParams,
    `${JSON.stringify(truncateText(uri, 100))} is no resource: allowed are spine://runs/{run_id} and spine://workflows/{name}`,
  );
}

/** @throws McpError for an address that is none, and what the API's client throws */
export async function readResource(
  uri: string,
  { client, call }: Pick<ToolContext, 'client' | 'call'>,
  room: Room,
): Promise<ReadResourceResult> {
  const { type, id } = parseAddress(uri);
  if (type === 'runs') {
    const { structuredContent } = toResult(one(await client.runs.get(id, call)), room);
    return { contents: [{ uri, mimeType: 'application/json', text: JSON.stringify(structuredContent) }] };
  }
  const text = cleanText(await client.workflows.yaml(id, undefined, call), room.secrets);
  return { contents: [{ uri, mimeType: 'application/yaml', text: truncateText(text, room.characters) }] };
}
