/**
 * One step of the world. Deterministic: the same steps lead to the same world. False for a step that does not apply;
 * then nothing has changed.
 *
 * 1. A statement is executed at once, wherever its caller is by then: a worker that froze or died has sent it before.
 * 2. A worker acts only while its process runs, and learns answers only then.
 * 3. A broken connection leaves its statement on its way: it may still be executed, or vanish.
 */
import { assertNever } from '@spine/core';
import { findCall } from './actions.ts';
import type { Action, CallAction } from './actions.ts';
import { applyAdoption } from './adoption.ts';
import { learn, onCut } from './answers.ts';
import { applyClient } from './client.ts';
import { execute } from './database.ts';
import { clientViolations } from './invariants.ts';
import { report } from './observer.ts';
import { applyQueue } from './queue.ts';
import { applyService } from './services.ts';
import { applyWorker } from './worker.ts';
import type { World } from './world.ts';

export function apply(world: World, action: Action): boolean {
  const done = step(world, action);
  if (done && world.violation === null)
    for (const violation of clientViolations(world)) report(world, violation);
  return done;
}

function step(world: World, action: Action): boolean {
  switch (action.type) {
    case 'advance':
      world.now += action.ms;
      return true;
    case 'execute':
    case 'answer':
    case 'cut':
    case 'vanish':
      return applyToCall(world, action);
    case 'submit':
    case 'resend':
    case 'resubmit':
      return applyClient(world, action);
    case 'adopt':
    case 'adopt_and_cancel':
      return world.plan.adopts && applyAdoption(world, action);
    case 'lose_hint':
    case 'duplicate_hint':
    case 'flush':
    case 'queue_down':
    case 'queue_up':
      return applyQueue(world, action);
    case 'pause_lane':
    case 'resume_lane': {
      const paused = action.type === 'pause_lane';
      if (world.lanePaused === paused) return false;
      world.lanePaused = paused;
      return true;
    }
    case 'reap':
    case 'relay':
    case 'expire':
    case 'cancel':
    case 'pause':
    case 'resume':
      return applyService(world, action);
    case 'deliver':
    case 'poll':
    case 'claim_again':
    case 'expect':
    case 'look':
    case 'end':
    case 'settle':
    case 'event':
    case 'hang':
    case 'heartbeat':
    case 'freeze':
    case 'thaw':
    case 'crash':
    case 'restart':
    case 'stop':
    case 'exit':
      return applyWorker(world, action);
    default:
      return assertNever(action);
  }
}

function applyToCall(world: World, { type, ref }: CallAction): boolean {
  const index = findCall(world, ref);
  const sent = world.sent[index];
  if (sent === undefined) return false;
  switch (type) {
    case 'execute': {
      if (sent.answer !== null) return false;
      const answer = execute(world, sent.call);
      if (answer === null || sent.caller === 'gone') world.sent.splice(index, 1);
      else world.sent[index] = { ...sent, answer };
      if (world.plan.answers === 'prompt') applyToCall(world, { type: 'answer', ref });
      return true;
    }
    case 'answer':
      if (sent.answer === null || !learn(world, sent.call, sent.answer)) return false;
      world.sent.splice(world.sent.indexOf(sent), 1);
      return true;
    case 'cut':
      if (sent.caller === 'gone' || !onCut(world, sent.call)) return false;
      if (sent.answer === null) world.sent[index] = { ...sent, caller: 'gone' };
      else world.sent.splice(index, 1);
      return true;
    case 'vanish':
      if (sent.caller !== 'gone') return false;
      world.sent.splice(index, 1);
      return true;
    default:
      return assertNever(type);
  }
}
