/** `spine deploy`: which versions run, and on what. */
import type { DeployBackend, DeployService, DeployStatus } from '@spine/sdk';
import { present } from '@spine/core';
import { stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { EXIT } from '../frame/exit-codes.ts';
import { addList } from '../frame/list.ts';
import { fieldsText } from '../frame/table.ts';

const SERVICES = ['api', 'scheduler', 'worker'] as const satisfies readonly DeployService['service'][];

function statusText({ status, problems, api_version, schema, versions }: DeployStatus, { out }: CliContext) {
  const fields = fieldsText(
    {
      status,
      ...(problems.length === 0 ? {} : { because: problems.map(({ message }) => message).join('\n') }),
      api: api_version,
      schema: `${schema.state}, version ${schema.version ?? '-'}`,
      ...(schema.pending.length === 0 ? {} : { pending: schema.pending }),
    },
    out.paint,
  );
  const table = out.tableText(
    [
      { head: 'VERSION', cell: ({ version }) => version },
      { head: 'API', cell: ({ services }) => services.api, align: 'right' },
      { head: 'SCHEDULERS', cell: ({ services }) => services.scheduler, align: 'right' },
      { head: 'WORKERS', cell: ({ services }) => services.worker, align: 'right' },
      { head: 'SINCE', cell: ({ since }) => timeCell(since) },
    ],
    versions,
    'no process has told of itself',
  );
  return `${fields}\n${table}`;
}

export const register: Register = (program, context) => {
  const deploy = addGroup(program, 'deploy', 'which versions run, and on what');
  addCommand(deploy, context, {
    usage: 'status',
    summary: 'say whether all is of one version with its schema; exit code 1 when something needs attention',
    examples: ['deploy status --json'],
    run: async (_call, context) => {
      const status = await (await context.client()).deploy.status();
      await context.out.answer(status, () => statusText(status, context));
      return status.status === 'ok' ? EXIT.ok : EXIT.failed;
    },
  });
  addList<DeployService>(deploy, context, {
    usage: 'services',
    summary: 'list live processes',
    options: [choice('--service <service>', 'of this service', SERVICES)],
    columns: [
      { head: 'SERVICE', cell: ({ service }) => service },
      { head: 'PROCESS', cell: ({ process_id }) => process_id },
      { head: 'VERSION', cell: ({ version }) => version },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'HOST', cell: ({ hostname, pid }) => `${hostname}:${pid}` },
      { head: 'STARTED', cell: ({ started_at }) => timeCell(started_at) },
      { head: 'SEEN', cell: ({ last_seen_at }) => timeCell(last_seen_at) },
    ],
    none: 'no processes',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.deploy.services({ ...present({ service: options.choice('service', SERVICES) }), limit }),
  });
  addCommand(deploy, context, {
    usage: 'backends',
    summary: 'list database, queue and payload store, with their versions and latency',
    run: async (_call, { client, out }) => {
      const backends = await (await client()).deploy.backends();
      await out.table<DeployBackend>(
        [
          { head: 'BACKEND', cell: ({ backend }) => backend },
          { head: 'ROLE', cell: ({ role }) => role },
          {
            head: 'STATUS',
            cell: ({ status }) => status,
            style: ({ status }) => (status === 'up' ? 'green' : 'red'),
          },
          { head: 'VERSION', cell: ({ version }) => version },
          {
            head: 'LATENCY',
            cell: ({ latency_ms }) => (latency_ms === null ? null : `${latency_ms} ms`),
            align: 'right',
          },
          { head: 'PROBLEMS', cell: ({ problems }) => problems.map(({ message }) => message).join('; ') },
        ],
        backends,
        'no backends',
      );
    },
  });
};
