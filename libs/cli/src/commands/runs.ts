/** `spine run`: asking for work, and what became of it. */
import { addGroup } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { registerBatch } from './runs/batch.ts';
import { registerChanges } from './runs/change.ts';
import { registerFollowing } from './runs/follow.ts';
import { registerReads } from './runs/read.ts';
import { registerSubmit } from './runs/submit.ts';

export const register: Register = (program, context) => {
  const run = addGroup(program, 'run', 'submit runs, follow and steer them');
  registerSubmit(run, context);
  registerBatch(run, context);
  registerReads(run, context);
  registerFollowing(run, context);
  registerChanges(run, context);
};
