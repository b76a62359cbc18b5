/** What came of a session, over HTTP. */
import type { FastifyReply } from 'fastify';
import { assertNever } from '@spine/core';
import type { Session, SessionChange, SessionCreation, SessionOpening } from '@spine/orchestration';
import { HttpProblem, notFound } from '../http/problem.ts';

/** The session's revision as ETag. */
export function tagged(reply: FastifyReply, { summary }: Session): void {
  void reply.header('etag', `"${summary.revision}"`);
}

export function createdOf(creation: SessionCreation): Session {
  switch (creation.type) {
    case 'created':
      return creation.session;
    case 'too_large':
      throw new HttpProblem('PAYLOAD_TOO_LARGE', creation.message);
    case 'over_quota': {
      const whose = creation.of === 'caller' ? 'of yours' : 'in all';
      const message = `there are ${creation.quota} sessions ${whose}, which is as many as may be; delete some, or let them expire`;
      throw new HttpProblem('QUOTA_EXCEEDED', message, { retryAfterSeconds: 60 });
    }
    default:
      return assertNever(creation);
  }
}

export function openedOf(opening: SessionOpening, id: string): Session {
  switch (opening.type) {
    case 'opened':
      return opening.session;
    case 'not_found':
      throw notFound('playground session', id);
    case 'outdated':
      throw outdated(id);
    default:
      return assertNever(opening);
  }
}

export function changedOf<T>(
  change: SessionChange<T>,
  id: string,
): { readonly session: Session; readonly value: T } {
  switch (change.type) {
    case 'changed':
      return change;
    case 'refused':
      throw new HttpProblem('CONFLICT', change.reason);
    case 'too_large':
      throw new HttpProblem('PAYLOAD_TOO_LARGE', change.message);
    case 'stale':
      throw new HttpProblem(
        'CONFLICT',
        `the session is at revision ${change.revision} by now: another has changed it; read it again`,
      );
    case 'not_found':
      throw notFound('playground session', id);
    case 'outdated':
      throw outdated(id);
    default:
      return assertNever(change);
  }
}

function outdated(id: string): HttpProblem {
  return new HttpProblem(
    'CONFLICT',
    `session ${id} was left by another release, which planned otherwise; reset or delete it`,
  );
}
