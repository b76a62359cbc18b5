/** `spine workflow`: definitions, and runs of them. */
import { addGroup } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { registerChecks } from './workflows/check.ts';
import { registerInspection } from './workflows/inspect.ts';
import { registerPublishing } from './workflows/publish.ts';
import { registerWorkflowReads } from './workflows/read.ts';
import { registerWorkflowRuns } from './workflows/run.ts';
import { registerSteering } from './workflows/steer.ts';

export const register: Register = (program, context) => {
  const workflow = addGroup(program, 'workflow', 'definitions of workflows, and runs of them');
  registerWorkflowReads(workflow, context);
  registerWorkflowRuns(workflow, context);
  registerSteering(workflow, context);
  registerInspection(workflow, context);
  registerChecks(workflow, context);
  registerPublishing(workflow, context);
};
