/** The MCP server: Spine for assistants, over the HTTP API. */
export { CallSlots } from './call-slots.ts';
export { MCP_PATH } from './http/admit.ts';
export { MAX_REQUESTS, serveHttp, type HttpMcp, type HttpOptions } from './http/serve.ts';
export {
  ANSWER_CHARACTERS,
  createMcpServer,
  shareMcp,
  type Caller,
  type McpOptions,
  type McpShared,
} from './server.ts';
export { serveStdio, type StdioOptions } from './stdio.ts';
export { TOOLS } from './tools/toolset.ts';
