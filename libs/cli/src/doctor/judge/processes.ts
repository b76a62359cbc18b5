/** Whether workers and schedulers are at work, and whether they are the ones that are needed. */
import type { LockRecord, SchedulingStatus, UnservedWork, WorkerRecord } from '@spine/database';
import { counted, findingsOf, some } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { secondsSince } from './since.ts';

const workersSay = findingsOf('workers');
const schedulersSay = findingsOf('schedulers');

export interface WorkerFacts {
  /** The database's clock. */
  readonly now: Date;
  readonly workers: readonly WorkerRecord[];
  /** Due for a while, and nobody could start it. */
  readonly unserved: readonly UnservedWork[];
}

const START_WORKER = 'spine start, or start a worker: node services/worker/dist/main.js';

export function judgeWorkers({ now, workers, unserved }: WorkerFacts): Finding[] {
  const { ok, info, warning, error } = workersSay;
  const live = workers.filter(({ isLive }) => isLive);
  const silent = workers.filter(({ isLive, status }) => !isLive && status !== 'stopped');
  const versions = [...new Set(live.map(({ version }) => version))].sort();
  const slots = live.reduce((sum, worker) => sum + worker.slots, 0);
  const running = live.reduce((sum, worker) => sum + worker.running, 0);
  const lanes = [...new Set(live.flatMap((worker) => worker.lanes))].sort();
  const measured = { live: live.length, slots, running, lanes };
  return [
    live.length > 0
      ? ok('workers_live', {
          message: `${counted(live.length, 'live worker')}, ${running} of ${slots} slots used, lanes ${some(lanes, 10)}`,
          measured,
        })
      : (unserved.length > 0 ? error : warning)(
          'workers_live',
          { message: 'no worker is live: runs are accepted, and nothing executes them', measured },
          START_WORKER,
        ),
    ...(silent.length === 0
      ? []
      : [
          info('workers_silent', {
            message: `${counted(silent.length, 'worker')} silent without having said so: ${some(silent.map(({ hostname, pid }) => `${hostname}:${pid}`))}`,
            measured: { silent: silent.map(({ workerId }) => workerId) },
          }),
        ]),
    ...(versions.length <= 1
      ? []
      : [
          warning(
            'workers_versions',
            {
              message: `live workers are of different versions: ${versions.join(', ')}`,
              measured: { versions },
            },
            'finish the update: restart the older ones (spine worker drain)',
          ),
        ]),
    judgeUnserved(unserved, now),
  ];
}

function judgeUnserved(unserved: readonly UnservedWork[], now: Date): Finding {
  const { ok, error } = workersSay;
  const handlers = unserved.map(({ lane, kind, name }) => `${kind}:${name} in lane ${lane}`);
  const [oldest] = unserved;
  if (oldest === undefined) {
    const measured = { handlers, due: 0 };
    return ok('workers_unserved', { message: 'live workers could start everything that is due', measured });
  }
  const due = unserved.reduce((sum, work) => sum + work.due, 0);
  const why = oldest.laneIsServed ? 'knows the handler' : 'serves the lane';
  return error(
    'workers_unserved',
    {
      message: `${counted(due, 'due run')} that no live worker could start: ${some(handlers)}; for ${secondsSince(oldest.oldestDueAt, now)} s no worker ${why}`,
      measured: { handlers, due, oldest_seconds: secondsSince(oldest.oldestDueAt, now) },
    },
    oldest.laneIsServed
      ? 'start a worker of a version that has the handler; spine function list shows what is known'
      : `start a worker with SPINE_LANES=${oldest.lane} among its lanes`,
  );
}

export interface SchedulerFacts {
  readonly status: SchedulingStatus;
  /** Those of scheduler processes. */
  readonly locks: readonly LockRecord[];
}

export function judgeSchedulers({ status, locks }: SchedulerFacts): Finding[] {
  const { ok, warning, error } = schedulersSay;
  const live = locks.filter(({ active }) => active).map(({ owner }) => owner);
  const overdueSeconds =
    status.late > 0 && status.oldestDueAt !== null ? secondsSince(status.oldestDueAt, status.now) : 0;
  const measured = { live: live.length, active_schedules: status.active };
  return [
    live.length > 0
      ? ok('schedulers_live', {
          message: `${counted(live.length, 'live scheduler')}: ${some(live)}`,
          measured,
        })
      : error(
          'schedulers_live',
          {
            message: 'no scheduler is live: nothing fires, and nobody takes runs back from workers that died',
            measured,
          },
          'spine start, or start one: node services/scheduler/dist/main.js',
        ),
    status.late === 0
      ? ok('schedules_overdue', {
          message: `${counted(status.active, 'active schedule')}, none overdue`,
          measured,
        })
      : (live.length === 0 ? error : warning)(
          'schedules_overdue',
          {
            message: `${counted(status.late, 'schedule')} due that nobody has decided about, the first for ${overdueSeconds} s`,
            measured: { late: status.late, oldest_seconds: overdueSeconds },
          },
          live.length === 0
            ? 'start a scheduler'
            : "look at the schedulers' logs; spine schedule list shows them",
        ),
  ];
}
