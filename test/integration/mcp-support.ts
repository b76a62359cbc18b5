/** MCP clients as assistants have them. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { createMcpServer } from '@spine/mcp';
import type { Caller, McpShared } from '@spine/mcp';
import type { Json } from './api-support.ts';

export interface Assistant {
  readonly client: Client;
  /** Calls a tool. */
  call(name: string, args?: object, options?: RequestOptions): Promise<Told>;
  close(): Promise<void>;
}

export interface Told {
  readonly isError: boolean;
  readonly body: Json;
  readonly text: string;
}

export async function assistantOver(transport: Transport): Promise<Assistant> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  return {
    client,
    call: async (name, args = {}, options = {}) => {
      const params = { name, arguments: { ...args } };
      const answer = await client.callTool(params, CallToolResultSchema, options);
      const [content] = CallToolResultSchema.parse(answer).content;
      const text = content?.type === 'text' ? content.text : '';
      return {
        isError: answer.isError === true,
        text,
        body: JSON.parse(JSON.stringify(answer.structuredContent ?? null)) as Json,
      };
    },
    close: () => client.close(),
  };
}

/** An assistant whose server is in this process. */
export async function assistantOf(shared: McpShared, caller: Caller): Promise<Assistant> {
  const [mine, theirs] = InMemoryTransport.createLinkedPair();
  await createMcpServer(shared, caller).connect(theirs);
  return assistantOver(mine);
}
