/** Schedules in words, for whoever has to understand why one fails. */
import { assertNever } from '@spine/core';
import type { Action, CallRef } from '../model/actions.ts';
import { INVARIANTS } from '../model/invariants.ts';
import type { World } from '../model/world.ts';
import { replay } from './simulate.ts';
import type { Replay } from './simulate.ts';

/** A line a step with the state of its run after it, then what is violated. */
export function describeSchedule(failing: Replay): string {
  const lines: string[] = [];
  const { violation, healMs } = replay(failing, (action, world) => {
    const time = `${(world.now / 1_000).toFixed(1)} s`.padStart(9);
    lines.push(`${time}  ${describeAction(action)}${stateAfter(action, world)}`);
  });
  lines.push(
    violation === null
      ? `no violation; everything is over ${healMs / 1_000} s after the last step`
      : `${violation.invariant}: ${violation.detail} (${INVARIANTS[violation.invariant]})`,
  );
  return lines.join('\n');
}

function stateAfter(action: Action, world: World): string {
  const number = 'run' in action ? action.run : 'ref' in action ? action.ref.run : -1;
  const row = world.runs[number]?.row;
  if (row === undefined) return '';
  return `  [run ${number}: ${row.status}, epoch ${row.epoch}, attempt ${row.attempt}, crashes ${row.crashCount}]`;
}

function callName({ call, worker, run, nth }: CallRef): string {
  const by = worker === -1 ? '' : ` of worker ${worker}`;
  return `${call}${by}${run === -1 ? '' : ` for run ${run}`}${nth === 0 ? '' : ` (no. ${nth + 1})`}`;
}

export function describeAction(action: Action): string {
  switch (action.type) {
    case 'advance':
      return `${action.ms} ms pass`;
    case 'submit':
      return `client ${action.client} submits`;
    case 'resend':
      return `the API sends the row of client ${action.client} again`;
    case 'resubmit':
      return `client ${action.client} submits anew with its key`;
    case 'adopt':
      return `worker ${action.worker} stores the run of client ${action.client} for itself`;
    case 'adopt_and_cancel':
      return `worker ${action.worker} stores the run of client ${action.client} for itself, and cancels it at once`;
    case 'execute':
      return `Postgres executes the ${callName(action.ref)}`;
    case 'answer':
      return `the answer to the ${callName(action.ref)} arrives`;
    case 'cut':
      return `the connection of the ${callName(action.ref)} breaks`;
    case 'vanish':
      return `the ${callName(action.ref)} is lost`;
    case 'deliver':
      return `a hint brings run ${action.run} to worker ${action.worker}, which claims`;
    case 'poll':
      return `worker ${action.worker} polls and claims run ${action.run}`;
    case 'claim_again':
      return `worker ${action.worker} sends its claim of run ${action.run} again`;
    case 'expect':
      return `worker ${action.worker} looks again for run ${action.run}, whose hint came early`;
    case 'look':
      return `worker ${action.worker} looks whether run ${action.run} was stored for it`;
    case 'end':
      return `the handler of run ${action.run} in worker ${action.worker} ${action.how.replaceAll('_', ' ')}`;
    case 'settle':
      return `worker ${action.worker} sends the settlement of run ${action.run}`;
    case 'event':
      return `the handler of run ${action.run} in worker ${action.worker} reports an event`;
    case 'hang':
      return `the attempt of run ${action.run} in worker ${action.worker} hangs`;
    case 'heartbeat':
      return `worker ${action.worker} sends its heartbeat`;
    case 'freeze':
    case 'thaw':
    case 'crash':
    case 'restart':
    case 'stop':
    case 'exit':
      return `worker ${action.worker}: ${action.type}`;
    case 'reap':
      return `a reaper reads that run ${action.run} is overdue`;
    case 'relay':
      return `a relay reads that run ${action.run} is due for a hint`;
    case 'expire':
      return `an expirer reads that the time of run ${action.run} is over`;
    case 'cancel':
    case 'pause':
    case 'resume':
      return `an operator sends: ${action.type} run ${action.run}`;
    case 'pause_lane':
      return 'an operator pauses the lane';
    case 'resume_lane':
      return 'an operator resumes the lane';
    case 'lose_hint':
      return `a hint for run ${action.run} is lost`;
    case 'duplicate_hint':
      return `a hint for run ${action.run} is doubled`;
    case 'flush':
      return 'the queue is emptied';
    case 'queue_down':
      return 'the queue goes away';
    case 'queue_up':
      return 'the queue comes back';
    default:
      return assertNever(action);
  }
}
