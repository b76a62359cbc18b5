/** Clients and the API process that serves them. */
import type { ClientAction } from './actions.ts';
import { hintEarly } from './early.ts';
import type { World } from './world.ts';

/**
 * Submits. A connection that breaks leaves the client without an answer: the API sends the same row again, or, when the
 * API itself died, the client submits anew under its idempotency key.
 */
export function applyClient(world: World, action: ClientAction): boolean {
  const client = world.clients[action.client];
  if (client?.state !== (action.type === 'submit' ? 'idle' : 'unanswered')) return false;
  const run = action.type === 'resend' ? client.run : world.runs.push(null) - 1;
  if (run === null) return false;
  const after = world.guards.submitAnswersAfterCommit;
  world.sent.push({
    call: {
      type: 'submit',
      client: action.client,
      run,
      hinted: world.queueUp,
      early: action.type !== 'resend' && hintEarly(world, action.client, run),
      sentAt: world.now,
    },
    caller: after ? 'waiting' : 'gone',
    answer: null,
  });
  world.clients[action.client] = { state: after ? 'waiting' : 'accepted', run };
  return true;
}
