/** `spine schedule`: what runs by itself, and when. */
import { addGroup } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { registerScheduleChanges } from './schedules/change.ts';
import { registerScheduleReads } from './schedules/read.ts';

export const register: Register = (program, context) => {
  const schedule = addGroup(program, 'schedule', 'what runs by itself, and when');
  registerScheduleReads(schedule, context);
  registerScheduleChanges(schedule, context);
};
