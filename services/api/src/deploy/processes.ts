/** The live processes of a deployment: those that registered themselves, and the workers. */
import type { DeployProcess } from '@spine/core';
import { liveProcesses, workerProcesses } from '@spine/database';
import type { Engine } from '@spine/execution';
import type { DeployServiceJson } from './deploy.schemas.ts';

/** Heard of a moment ago: a worker that is stopping is still there. */
export async function liveServices({ pool }: Pick<Engine, 'pool'>): Promise<DeployServiceJson[]> {
  const [processes, workers] = await Promise.all([liveProcesses(pool), workerProcesses(pool)]);
  return [
    ...processes.map((each): DeployServiceJson => ({
      service: each.service,
      process_id: each.processId,
      hostname: each.hostname,
      pid: each.pid,
      version: each.version,
      status: 'active',
      lanes: null,
      started_at: each.startedAt.toISOString(),
      last_seen_at: each.lastSeenAt.toISOString(),
    })),
    ...workers.map((each): DeployServiceJson => ({
      service: 'worker',
      process_id: each.workerId,
      hostname: each.hostname,
      pid: each.pid,
      version: each.version,
      status: each.status,
      lanes: [...each.lanes],
      started_at: each.startedAt.toISOString(),
      last_seen_at: each.lastSeenAt.toISOString(),
    })),
  ];
}

export function toDeployProcess({ service, version, started_at }: DeployServiceJson): DeployProcess {
  return { service, version, startedAt: new Date(started_at) };
}
