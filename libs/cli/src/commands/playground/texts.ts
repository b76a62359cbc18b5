/** How a session of the playground is shown. */
import type { PlaygroundPeek, PlaygroundSession, PlaygroundStepped } from '@spine/sdk';
import { timeCell } from '../../frame/cells.ts';
import type { CliContext } from '../../frame/context.ts';
import { jsonText } from '../../frame/printable.ts';
import { fieldsText } from '../../frame/table.ts';

function nextText(next: PlaygroundPeek): string {
  switch (next.type) {
    case 'work':
      return `${next.unit}, with ${jsonText(next.params)}`;
    case 'timer':
      return `timer ${next.timer} at ${next.at}`;
    case 'waiting':
      return `waits for ${[...next.approvals, ...next.signals].join(', ')}`;
    case 'ended':
      return `nothing: it is ${next.status}, with ${jsonText(next.outputs)}`;
  }
}

export function sessionText(session: PlaygroundSession, { out: { paint } }: CliContext): string {
  const { session_id, workflow, version, mode, status, step_count, remaining, next } = session;
  return fieldsText(
    {
      session: session_id,
      workflow: version === null ? workflow : `${workflow} version ${version}`,
      mode,
      status,
      moves: step_count,
      remaining,
      next: nextText(next),
      expires: timeCell(session.expires_at),
    },
    paint,
  );
}

export function steppedText({ session, steps }: PlaygroundStepped, context: CliContext): string {
  const { out } = context;
  const made = out.tableText(
    [
      { head: 'MOVE', cell: ({ index }) => index, align: 'right' },
      { head: 'UNIT', cell: ({ unit, type }) => unit ?? type },
      { head: 'RESULT', cell: ({ result }) => result?.status },
      { head: 'OUTPUT', cell: ({ result }) => (result === null ? null : jsonText(result.output)) },
      { head: 'ERROR', cell: ({ result }) => result?.error?.message ?? '' },
    ],
    steps,
    'no move was made',
  );
  return `${made}\n${sessionText(session, context)}`;
}
