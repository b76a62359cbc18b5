/** Every tool there is, and which of them a server has. */
import type { Tool } from '../tool.ts';
import { DEAD_LETTER_READS, DEAD_LETTER_WRITES } from './dead-letters.ts';
import { LEDGER_TOOLS } from './ledger.ts';
import { OPERATION_TOOLS } from './operations.ts';
import { RUN_WRITES } from './runs-write.ts';
import { RUN_READS } from './runs.ts';
import { SCHEDULE_READS, SCHEDULE_WRITES } from './schedules.ts';
import { WORKFLOW_TOOLS, WORKFLOW_WRITES } from './workflows.ts';

export const TOOLS: readonly Tool[] = [
  ...OPERATION_TOOLS,
  ...RUN_READS,
  ...RUN_WRITES,
  ...WORKFLOW_TOOLS,
  ...WORKFLOW_WRITES,
  ...SCHEDULE_READS,
  ...SCHEDULE_WRITES,
  ...DEAD_LETTER_READS,
  ...DEAD_LETTER_WRITES,
  ...LEDGER_TOOLS,
];

const BY_NAME: ReadonlyMap<string, Tool> = new Map(TOOLS.map((tool) => [tool.name, tool]));

export function toolsFor(allowWrites: boolean): readonly Tool[] {
  return TOOLS.filter(({ effect }) => allowWrites || effect === 'reads');
}

export type Found =
  | { readonly type: 'tool'; readonly tool: Tool }
  /** There is one, and this server may not have it called. */
  | { readonly type: 'read_only' }
  | { readonly type: 'unknown' };

export function findTool(name: string, allowWrites: boolean): Found {
  const tool = BY_NAME.get(name);
  if (tool === undefined) return { type: 'unknown' };
  return allowWrites || tool.effect === 'reads' ? { type: 'tool', tool } : { type: 'read_only' };
}
