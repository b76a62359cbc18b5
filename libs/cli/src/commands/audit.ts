/** `spine audit`: every call that has changed something. */
import { present } from '@spine/core';
import type { AuditRecord } from '@spine/sdk';
import { timeCell } from '../frame/cells.ts';
import { addGroup, choice, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { addList } from '../frame/list.ts';

const OUTCOMES = ['begun', 'done', 'refused', 'failed'] as const;
const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const satisfies readonly AuditRecord['method'][];

/** A call without an end is under way, or its process has died. */
function statusCell(status: number | null): string | number {
  return status ?? 'begun';
}

function isSuccess(status: number | null): boolean {
  return status !== null && status < 400;
}

export const register: Register = (program, context) => {
  const audit = addGroup(program, 'audit', 'who has changed what');
  addList<AuditRecord>(audit, context, {
    usage: 'list',
    summary: 'list calls that have changed something, newest first',
    options: [
      choice('--method <method>', 'calls with this method', METHODS),
      choice('--outcome <outcome>', 'how it ended; `begun`: it has not, or its process has died', OUTCOMES),
      option('--principal <id>', 'calls of this key'),
      option('--route <route>', 'calls of this route, such as /api/v1/runs/:run_id/cancel'),
      option('--target <id>', 'calls about this thing'),
      option('--request-id <id>', 'the call with this request id'),
      option('--since <when>', 'since: an instant, a day, or a span ago such as 2h'),
      option('--until <when>', 'before'),
    ],
    examples: ['audit list --since 24h --method DELETE', 'audit list --all --json'],
    columns: [
      { head: 'AT', cell: ({ at }) => timeCell(at) },
      { head: 'WHO', cell: ({ principal }) => principal.name },
      { head: 'METHOD', cell: ({ method }) => method },
      { head: 'ROUTE', cell: ({ route }) => route },
      { head: 'TARGETS', cell: ({ targets }) => Object.values(targets).join(' ') },
      {
        head: 'STATUS',
        cell: ({ status }) => statusCell(status),
        style: ({ status }) => (isSuccess(status) ? undefined : 'red'),
        align: 'right',
      },
      { head: 'REQUEST', cell: ({ request_id }) => request_id },
    ],
    none: 'no calls',
    cursor: true,
    ask: (client, { options }, position) => {
      const now = Date.now();
      return client.audit.list({
        ...present({
          method: options.choice('method', METHODS),
          outcome: options.choice('outcome', OUTCOMES),
          principal: options.text('principal'),
          route: options.text('route'),
          target: options.text('target'),
          request_id: options.text('requestId'),
          since: options.instant('since', now),
          until: options.instant('until', now),
        }),
        ...position,
      });
    },
  });
};
