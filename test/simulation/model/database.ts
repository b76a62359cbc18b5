/** Postgres in the simulation: executes one statement at a time, and reports every broken invariant to the observer. */
import { assertNever, isTerminal } from '@spine/core';
import { insertRow } from './insert-statements.ts';
import type { Cause } from './invariants.ts';
import { claimedOf, newRun, observe, report, runAfter } from './observer.ts';
import { cancelRow, expireRow, pauseRow, reapRow, relayRow } from './service-statements.ts';
import { resumeRow, unhintRow } from './service-statements.ts';
import { commit, store } from './storing.ts';
import { claimRow, handlerEventRow, heartbeatRow, isHeldBy, settleRow } from './worker-statements.ts';
import type { Change } from './row.ts';
import type { Answer, Call, Claimed, Run, World } from './world.ts';

type CallOf<T extends Call['type']> = Extract<Call, { type: T }>;

/** The statement's effect and its answer; null for a statement nobody expects one of. */
export function execute(world: World, call: Call): Answer | null {
  const { guards } = world;
  switch (call.type) {
    case 'submit':
      return submit(world, call);
    case 'begin':
      return { type: 'begin', at: world.now };
    case 'store':
      return store(world, call);
    case 'commit':
      return commit(world, call);
    case 'claim':
      return claim(world, call);
    case 'settle':
      return settle(world, call);
    case 'heartbeat':
      return heartbeat(world, call);
    case 'event':
      write(world, call.run, { type: 'event', token: call.token }, (run) =>
        handlerEventRow(run.row, call.epoch, guards),
      );
      return null;
    case 'reap':
      reap(world, call);
      return null;
    case 'cancel':
      write(world, call.run, { type: 'cancel' }, (run) => cancelRow(run.row, guards));
      return null;
    case 'pause':
      write(world, call.run, { type: 'pause' }, (run) => pauseRow(run.row, guards));
      return null;
    case 'resume':
      write(world, call.run, { type: 'resume' }, (run) => resumeRow(run.row, world.now));
      return null;
    case 'unhint':
      write(world, call.run, { type: 'unhint' }, (run) => unhintRow(run.row, world.now, guards));
      return null;
    case 'expire':
      write(world, call.run, { type: 'expire' }, (run) => expireRow(run.row, world.now, guards));
      return null;
    case 'relay': {
      const hint = write(world, call.run, { type: 'relay' }, (run) => relayRow(run.row, world.now, guards));
      return { type: 'relay', hint };
    }
    case 'dead_letter': {
      const run = world.runs[call.run];
      if (run) world.runs[call.run] = { ...run, deadLetters: run.deadLetters + 1 };
      return null;
    }
    default:
      return assertNever(call);
  }
}

/** The one place where a row changes. Answers whether it did. */
function write(world: World, number: number, cause: Cause, decide: (run: Run) => Change | null): boolean {
  const before = world.runs[number] ?? null;
  const change = before === null ? null : decide(before);
  if (before === null || change === null) return false;
  const after = runAfter(before, change, cause);
  if (isRefusedByBackstop(world, before, after)) {
    world.refused += 1;
    return false;
  }
  observe(world, before, after, cause, change);
  world.runs[number] = after;
  if (change.row.status === 'dead_lettered' && !change.deadLetter) {
    world.sent.push({ call: { type: 'dead_letter', run: number }, caller: 'gone', answer: null });
  }
  return true;
}

/** What the schema refuses by itself, where the world has its backstops. */
function isRefusedByBackstop(world: World, before: Run, after: Run): boolean {
  const { uniqueTerminalEvent, absorbingTrigger } = world.guards;
  if (uniqueTerminalEvent && after.terminalEvents > 1) return true;
  if (!absorbingTrigger || after.row === before.row) return false;
  return isTerminal(before.row.status) || after.row.epoch < before.row.epoch;
}

function submit(world: World, call: CallOf<'submit'>): Answer {
  const { client, run, hinted } = call;
  const key = world.runs.findIndex((each) => each?.client === client);
  if (world.runs[run]) return { type: 'submit', run, inserted: false };
  if (key !== -1 && world.guards.submitUniqueKey) return { type: 'submit', run: key, inserted: false };
  if (key !== -1) {
    report(world, { invariant: 'one_run_per_key', detail: `runs ${key} and ${run} of one client` });
  }
  const spec = world.plan.clients[client];
  if (spec === undefined) throw new RangeError(`no client ${client}`);
  world.runs[run] = newRun(client, insertRow(spec, hinted, world.now).row);
  return { type: 'submit', run, inserted: true };
}

function claim(world: World, call: CallOf<'claim'>): Answer {
  const { worker, run: number, from } = call;
  const { lanePaused } = world;
  // A poll has looked for what is overdue before, and claims like anybody else.
  const overdue = false;
  const token = world.runs[number]?.claims ?? 0;
  const taken =
    from !== 'look' &&
    write(world, number, { type: 'claim', token }, ({ row }) =>
      claimRow(row, { worker, overdue, lanePaused }, world.now, world.guards),
    );
  const run = world.runs[number] ?? null;
  if (taken) return { type: 'claim', claimed: claimedOf(run, number), own: false };
  const looks = from === 'resend' || from === 'look';
  const own = looks && run !== null && isHeldBy(run.row, worker);
  return { type: 'claim', claimed: own ? claimedOf(run, number) : null, own };
}

function settle(world: World, call: CallOf<'settle'>): Answer {
  const { type: how } = call.settlement;
  const type = how === 'handed_back' || how === 'deferred' ? 'hand_back' : 'settle';
  const stored = write(world, call.run, { type, token: call.token }, (run) =>
    settleRow(run.row, call, world.now, world.guards),
  );
  const run = world.runs[call.run];
  const before = run?.settledBy.includes(call.token) === true;
  const finishedEpoch = run?.row.finishedEpoch ?? -1;
  // Once a later attempt has settled, too, the events say who settled before.
  const proof = finishedEpoch === call.epoch || (finishedEpoch > call.epoch && before);
  const outcome = stored || (world.guards.settleFinishedEpoch && proof) ? 'settled' : 'fenced';
  if ((outcome === 'settled') !== before) {
    report(world, {
      invariant: 'honest_answer',
      detail: `run ${call.run}: told ${outcome}, which is untrue`,
    });
  }
  return { type: 'settle', outcome };
}

function heartbeat(world: World, call: CallOf<'heartbeat'>): Answer {
  const extend = ({ run, token, epoch }: Claimed): boolean =>
    write(world, run, { type: 'heartbeat', token }, ({ row }) =>
      heartbeatRow(row, epoch, world.now, world.guards),
    );
  return { type: 'heartbeat', alive: call.held.flatMap((held, place) => (extend(held) ? [place] : [])) };
}

function reap(world: World, call: CallOf<'reap'>): void {
  const { guards, plan } = world;
  const now = world.now + (guards.reapClock === 'process' ? plan.skewMs : 0);
  write(world, call.run, { type: 'reap' }, (run) => reapRow(run.row, call.seen, now, guards));
}
