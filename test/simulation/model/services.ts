/**
 * The scheduler's services and operators. Each service reads and writes in two steps, as concurrent instances do: what
 * the read has found may have changed when the write arrives.
 */
import { assertNever, isTerminal } from '@spine/core';
import type { ServiceAction } from './actions.ts';
import { isDueForHint, isExpirable, isReapable } from './service-statements.ts';
import type { Call, World } from './world.ts';

export function applyService(world: World, action: ServiceAction): boolean {
  if (!canService(world, action)) return false;
  const call = callOf(world, action);
  if (call === null) return false;
  // Nobody is told how these end; only the relay goes on to send its hint.
  world.sent.push({ call, caller: action.type === 'relay' ? 'waiting' : 'gone', answer: null });
  return true;
}

function callOf(world: World, { type, run }: ServiceAction): Call | null {
  if (type !== 'reap') return { type, run };
  const seen = world.runs[run]?.row;
  return seen === undefined ? null : { type, run, seen };
}

export function canService(world: World, { type, run: number }: ServiceAction): boolean {
  const row = world.runs[number]?.row;
  if (row === undefined) return false;
  const { guards, now, plan } = world;
  const alike = world.sent.filter(({ call }) => call.type === type && call.run === number).length;
  switch (type) {
    case 'reap': {
      const clock = now + (guards.reapClock === 'process' ? plan.skewMs : 0);
      return guards.reaper && alike < plan.instances && isReapable(row, clock, guards);
    }
    case 'relay':
      return guards.relay && alike < plan.instances && !world.lanePaused && isDueForHint(row, now);
    case 'expire':
      return guards.expirer && alike < plan.instances && isExpirable(row, now);
    case 'cancel':
    case 'pause':
      return (
        alike === 0 &&
        (!isTerminal(row.status) || (type === 'cancel' ? !guards.cancelStatus : !guards.pauseStatus))
      );
    case 'resume':
      return alike === 0 && row.status === 'paused';
    default:
      return assertNever(type);
  }
}
