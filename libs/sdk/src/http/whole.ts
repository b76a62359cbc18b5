import { SpineConfigError } from '../errors.ts';

/** Timers take no more. */
const MAX = 2 ** 31 - 1;

/** An option that counts something. @throws SpineConfigError */
export function whole(name: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min && value <= MAX) return value;
  throw new SpineConfigError(`${name} must be a whole number from ${min} to ${MAX}, got ${value}`);
}
