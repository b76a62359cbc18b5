/**
 * A text that is the same for worlds with the same future. Times count from now, and what is long past is past;
 * epochs count back from the row's, because it only grows; claims count by their order; which of two like workers is
 * which does not matter, nor which dead process wrote something.
 */
import { REAP_GRACE_MS } from '../model/row.ts';
import type { Row } from '../model/row.ts';
import { workerOf } from '../model/answers.ts';
import type { Call, Claimed, Run, Token, Worker, World } from '../model/world.ts';

/** For worlds of one run, whose token and epoch everything else is compared with. */
export function keyOf(world: World): string {
  const places = world.workers.map((_, place) => place);
  const keys = permutations(places).map((order) => keyInOrder(world, order));
  return keys.reduce((least, key) => (key < least ? key : least));
}

function permutations(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

interface Names {
  readonly worker: (id: number | null) => string;
  readonly epoch: (epoch: number | null) => string;
  readonly token: (token: Token | null) => string;
}

function keyInOrder(world: World, order: readonly number[]): string {
  const run = world.runs.find((each) => each !== null) ?? null;
  const names = namesOf(world, run, order);
  const workers = order.flatMap((place) => world.workers[place] ?? []);
  return [
    world.clients.map(({ state, run: of }) => `${state[0]}${of ?? ''}${state === 'unanswered' ? 'u' : ''}`).join(),
    world.runs.map((each) => (each === null ? '-' : runKey(each, world.now, names))).join(),
    workers.map((worker) => workerKey(worker, names)).join('/'),
    world.sent
      .map(({ call, caller, answer }) => `${caller[0]}${answer === null ? '' : 'a'}${callKey(call, world.now, names)}`)
      .sort()
      .join(),
    [...world.hints].sort().join(),
    [...world.kept].sort().join(),
    world.queueUp ? 'u' : 'd',
    world.lanePaused ? 'p' : '',
  ].join('|');
}

function namesOf(world: World, run: Run | null, order: readonly number[]): Names {
  const tokens = [...new Set(liveTokens(world, run))].sort((a, b) => a - b);
  return {
    worker: (id) => {
      const worker = id === null ? null : workerOf(world, id);
      if (worker === null) return id === null ? '-' : 'x';
      return String(order.indexOf(world.workers.indexOf(worker)));
    },
    epoch: (epoch) => (epoch === null ? '-' : String((run?.row.epoch ?? 0) - epoch)),
    token: (token) => (token === null ? '-' : String(tokens.indexOf(token))),
  };
}

/** The claims that somebody still knows of. */
function liveTokens(world: World, run: Run | null): Token[] {
  const tokens: Token[] = run?.holder ? [run.holder.token] : [];
  for (const { attempts } of world.workers) tokens.push(...attempts.map(({ token }) => token));
  for (const { call } of world.sent) {
    if ('token' in call) tokens.push(call.token);
    if (call.type === 'heartbeat') tokens.push(...call.held.map(({ token }) => token));
  }
  return tokens;
}

function runKey(run: Run, now: number, names: Names): string {
  const known = (tokens: readonly Token[]): string =>
    tokens
      .map(names.token)
      .filter((name) => name !== '-1')
      .join('');
  return [
    rowKey(run.row, now, names),
    names.token(run.holder?.token ?? null),
    names.epoch(run.holder?.epoch ?? null),
    known(run.starts),
    known(run.settledBy),
    names.token(run.settledBy.at(-1) ?? null),
    run.terminalEvents,
    run.deadLetters,
  ].join(':');
}

function rowKey(row: Row, now: number, names: Names): string {
  const after = (time: number | null, past: number): string =>
    time === null ? '-' : String(Math.max(time - now, -past));
  return [
    row.status,
    row.attempt,
    row.crashCount,
    row.started ? 's' : '',
    names.worker(row.leaseOwner),
    after(row.leaseExpiresAt, REAP_GRACE_MS + 1),
    after(row.deadlineAt, REAP_GRACE_MS + 1),
    after(row.availableAt, 0),
    after(row.dispatchAfter, 0),
    Math.min(row.dispatchNo, 2),
    names.epoch(row.finishedEpoch),
    after(row.expiresAt, 0),
    after(row.runDeadlineAt, 0),
  ].join(';');
}

function workerKey({ mode, attempts, unanswered }: Worker, names: Names): string {
  const held = attempts.map((attempt) => `${attempt.phase}${attempt.settlement?.type ?? ''}${claimedKey(attempt, names)}`);
  return `${mode}(${held.join()})${unanswered.join()}`;
}

function claimedKey({ run, token, epoch, attempt }: Claimed, names: Names): string {
  return `${run}.${names.token(token)}.${names.epoch(epoch)}.${attempt}`;
}

function callKey(call: Call, now: number, names: Names): string {
  switch (call.type) {
    case 'submit':
      return `submit${call.run}${call.hinted}`;
    case 'claim':
      return `claim${names.worker(call.worker)}${call.run}${call.from}${call.known}`;
    case 'settle':
      return `settle${names.worker(call.worker)}${call.settlement.type}${call.run}.${names.token(call.token)}.${names.epoch(call.epoch)}.${call.attempt}`;
    case 'heartbeat':
      return `beat${names.worker(call.worker)}${call.held.map((held) => claimedKey(held, names)).join('+')}`;
    case 'event':
      return `event${names.worker(call.worker)}${call.run}.${names.token(call.token)}.${names.epoch(call.epoch)}`;
    case 'reap':
      return `reap${call.run}${rowKey(call.seen, now, names)}`;
    default:
      return `${call.type}${call.run}`;
  }
}
