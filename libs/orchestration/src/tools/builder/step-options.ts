/** What a step of a builder is made of. */
import type { JsonObject } from '@spine/core';
import type { Call, Step } from '../../workflow/model.ts';
import type { FromFunctionOptions, PlainFunction } from '../run/handlers.ts';

/** Of every step. */
export type Common = Partial<Pick<Step, 'dependsOn' | 'when' | 'onError'>>;

export interface StepOptions extends Common, FromFunctionOptions {
  /** Values for a function by name, or the params of a call; may hold references. Default `{}`. */
  readonly config?: JsonObject;
  /** Of a function: the steps whose outputs it is given, the last one's count most. Default: all before it. */
  readonly reads?: readonly string[];
  readonly timeoutSeconds?: number;
  readonly retry?: NonNullable<Extract<Step, { kind: 'operation' }>['retry']>;
  /** A function is given its values as the step's is, and the step's own output. */
  readonly compensate?: PlainFunction | Call;
}

/** A registered operation, to be a step of. */
export function operation(handler: string): Call {
  return { kind: 'operation', handler };
}

/** A function registered elsewhere under a name, to be a step of. */
export function lambda(handler: string): Call {
  return { kind: 'lambda', handler };
}
