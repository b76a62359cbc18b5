/**
 * A text that is the same for worlds with the same future. Times count from now, and what is long past is past;
 * epochs count back from the row's, because it only grows; claims count by their order; which of two like workers is
 * which does not matter, nor which dead process wrote something.
 */
import { assertNever } from '@spine/core';
import { REAP_GRACE_MS } from '../model/row.ts';
import type { Row } from '../model/row.ts';
import { workerOf } from '../model/attempts.ts';
import { LOOKS_MS, TRUSTED_MS } from '../model/early.ts';
import type { Call, Claimed, Run, Token, Worker, World } from '../model/world.ts';

/** For worlds of one run and two workers, whose order does not matter. */
export function keyOf(world: World): string {
  const run = world.runs.find((each) => each !== null) ?? null;
  const marks = marksOf(world, run);
  const workers = world.workers.map((worker) => workerKey(worker, world.now, marks));
  const [first = '', second = ''] = workers;
  if (first < second) return keyInOrder(world, marks, workers, [0, 1]);
  if (first > second) return keyInOrder(world, marks, workers, [1, 0]);
  const one = keyInOrder(world, marks, workers, [0, 1]);
  const other = keyInOrder(world, marks, workers, [1, 0]);
  return one < other ? one : other;
}

/** Claims and epochs by what matters of them. */
interface Marks {
  readonly epoch: (epoch: number | null) => string;
  readonly token: (token: Token | null) => string;
}

interface Names extends Marks {
  readonly worker: (id: number | null) => string;
}

function keyInOrder(
  world: World,
  marks: Marks,
  workers: readonly string[],
  order: readonly [number, number],
): string {
  const worker = (id: number | null): string => {
    if (id === null) return '-';
    const process = workerOf(world, id);
    return process === null ? 'x' : String(order.indexOf(world.workers.indexOf(process)));
  };
  const names: Names = { ...marks, worker };
  const { now } = world;
  return [
    world.clients.map(({ state, run }) => `${state}${run ?? ''}`).join(),
    world.runs.map((each) => (each === null ? '-' : runKey(each, now, names))).join(),
    order.map((place) => workers[place]).join('/'),
    world.sent
      .map(({ call, caller, answer }) => `${caller}${answer === null ? '' : 'a'}${callKey(call, now, names)}`)
      .sort()
      .join(),
    world.hints.map(({ early }) => (early ? 'e' : 'h')).join(''),
    world.kept.length,
    world.queueUp,
    world.lanePaused,
  ].join('|');
}

function marksOf(world: World, run: Run | null): Marks {
  const tokens = [...new Set(liveTokens(world, run))].sort((a, b) => a - b);
  return {
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

function workerKey(worker: Worker, now: number, names: Marks): string {
  const { mode, attempts, unanswered, lookingFor, expecting } = worker;
  const held = attempts.map(
    (attempt) => `${attempt.phase}${attempt.settlement?.type ?? ''}${claimedKey(attempt, names)}`,
  );
  const expected = expecting.map(({ run, since }) => `${run}.${Math.min(now - since, LOOKS_MS)}`);
  return `${mode}(${held.join()})${unanswered.join()}/${lookingFor.join()}/${expected.join()}`;
}

function claimedKey({ run, token, epoch, attempt }: Claimed, names: Marks): string {
  return `${run}.${names.token(token)}.${names.epoch(epoch)}.${attempt}`;
}

function callKey(call: Call, now: number, names: Names): string {
  switch (call.type) {
    case 'submit':
      return `submit${call.run}${call.hinted}${call.early ? Math.min(now - call.sentAt, TRUSTED_MS) : ''}`;
    case 'begin':
      return `begin${names.worker(call.worker)}${call.run}${call.withdrawn}`;
    case 'store':
      return `store${names.worker(call.worker)}${call.run}${call.withdrawn}${call.hinted}${call.wanted}.${now - call.begunAt}.${now - call.askedAt}`;
    case 'commit':
      return `commit${names.worker(call.worker)}${call.withdrawn}${call.claimed !== null}${runKey(call.stored, now, names)}.${call.run}`;
    case 'claim':
      return `claim${names.worker(call.worker)}${call.run}${call.from}${call.expectedSince === null ? '' : Math.min(now - call.expectedSince, LOOKS_MS)}`;
    case 'settle':
      return `settle${names.worker(call.worker)}${call.settlement.type}${call.run}.${names.token(call.token)}.${names.epoch(call.epoch)}.${call.attempt}`;
    case 'heartbeat':
      return `beat${names.worker(call.worker)}${call.held.map((held) => claimedKey(held, names)).join('+')}`;
    case 'event':
      return `event${names.worker(call.worker)}${call.run}.${names.token(call.token)}.${names.epoch(call.epoch)}`;
    case 'reap':
      return `reap${call.run}${rowKey(call.seen, now, names)}`;
    case 'cancel':
    case 'pause':
    case 'resume':
    case 'relay':
    case 'expire':
    case 'unhint':
    case 'dead_letter':
      return `${call.type}${call.run}`;
    default:
      return assertNever(call);
  }
}
