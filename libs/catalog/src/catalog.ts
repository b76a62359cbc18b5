/**
 * What this deployment can run: every operation, function and workflow. The API describes and checks by it, workers execute
 * by it: two processes of one release know the same.
 */
import { registerExamples } from '@spine/examples';
import { HandlerRegistry, registerBuiltinHandlers, registerLedgerOperations } from '@spine/execution';
import {
  ingestReplayer,
  normalizeReplayer,
  registerFinraOtc,
  registerFinraWorkflows,
} from '@spine/finra-otc';
import { WorkflowRegistry } from '@spine/orchestration';
import { registerReferenceCalendar } from '@spine/reference-calendar';

export interface CatalogOptions {
  /** Folders that files may be read from. */
  readonly dataRoots: readonly string[];
  /** What `auto_approve` of approvals is compared with. Default `production`. */
  readonly environment?: string;
}

export interface Catalog {
  /** Operations and tasks; {@link WorkflowRegistry.registerHandlers} adds steps and workflows. */
  readonly handlers: HandlerRegistry;
  readonly workflows: WorkflowRegistry;
}

/** @throws ConfigError for what is registered twice. */
export function createCatalog({ dataRoots, ...options }: CatalogOptions): Catalog {
  const handlers = registerBuiltinHandlers(new HandlerRegistry());
  registerLedgerOperations(handlers, { replayers: [ingestReplayer, normalizeReplayer] });
  registerReferenceCalendar(registerFinraOtc(handlers, { dataRoots }), { dataRoots });
  const workflows = registerFinraWorkflows(new WorkflowRegistry(options), { dataRoots });
  registerExamples(handlers, workflows);
  return { handlers, workflows };
}
