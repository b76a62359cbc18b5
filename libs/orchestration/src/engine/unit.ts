/**
 * What is started and settled on its own. Its key is text that drivers keep: `load` for a step, `load[3]` for an item of a
 * map, `load!undo` for a compensation, `!on_failure` for the failure handler. `attempt` counts the starts of one unit, so
 * that a unit and an attempt together name one piece of work, once and for all.
 */
export type Unit =
  | { readonly type: 'step'; readonly step: string }
  | { readonly type: 'item'; readonly step: string; readonly index: number }
  | { readonly type: 'undo'; readonly step: string }
  | { readonly type: 'on_failure' };

export const ON_FAILURE_UNIT = '!on_failure';

export function unitKey(unit: Unit): string {
  switch (unit.type) {
    case 'step':
      return unit.step;
    case 'item':
      return `${unit.step}[${unit.index}]`;
    case 'undo':
      return `${unit.step}!undo`;
    case 'on_failure':
      return ON_FAILURE_UNIT;
  }
}

const KEY = /^([A-Za-z][A-Za-z0-9_-]*)(?:\[(0|[1-9]\d{0,8})\]|(!undo))?$/;

/** The unit of a key, or null for what is no key. */
export function parseUnit(key: string): Unit | null {
  if (key === ON_FAILURE_UNIT) return { type: 'on_failure' };
  const [, step, index, undo] = KEY.exec(key) ?? [];
  if (step === undefined) return null;
  if (undo !== undefined) return { type: 'undo', step };
  return index === undefined ? { type: 'step', step } : { type: 'item', step, index: Number(index) };
}

export const TIMER_KINDS = ['retry', 'timeout', 'wait', 'approval'] as const;
export type TimerKind = (typeof TIMER_KINDS)[number];

export const WORKFLOW_TIMER = '!workflow#0:timeout';

export function timerKey(unit: string, attempt: number, kind: TimerKind): string {
  return `${unit}#${attempt}:${kind}`;
}

/** The parts of a timer's key, or null for what is none. */
export function parseTimer(
  key: string,
): { readonly unit: Unit; readonly attempt: number; readonly kind: TimerKind } | null {
  const [, unitText, attempt, kindText] = /^(.+)#(\d{1,9}):([a-z]+)$/.exec(key) ?? [];
  const unit = parseUnit(unitText ?? '');
  const kind = TIMER_KINDS.find((each) => each === kindText);
  return unit === null || kind === undefined ? null : { unit, attempt: Number(attempt), kind };
}
