/** From a spec to an execution of this process, or to why there is none. Pure. */
import { handlerKey } from '@spine/core';
import type { Handler, HandlerRegistry } from '../../registry/registry.ts';
import { checkSpec } from '../../spec/check-spec.ts';
import { checkSizes, newRun } from '../../spec/new-run.ts';
import type { SpecIssue } from '../../spec/new-run.ts';
import type { WorkSpec } from '../../spec/work-spec.ts';
import type { Submission } from '../protocol.ts';
import { Execution } from './execution.ts';

export type Admission =
  | { readonly type: 'admitted'; readonly execution: Execution }
  | Extract<Submission, { type: 'invalid' | 'unknown_handler' }>;

export interface AdmissionRules {
  readonly registry: HandlerRegistry;
  /** What else an executor asks of a handler. */
  readonly refuse?: (handler: Handler) => SpecIssue | null;
}

/** The rules every executor has: a known handler, params its schema takes, values every store takes. */
export function admit(spec: WorkSpec, { registry, refuse }: AdmissionRules): Admission {
  const handler = registry.get(spec.kind, spec.name);
  const issues = checkSpec(spec, handler);
  if (issues.length > 0) return { type: 'invalid', issues };
  if (handler === undefined) return { type: 'unknown_handler', handler: handlerKey(spec.kind, spec.name) };
  const refused = refuse?.(handler) ?? null;
  const unsupported = [...(refused === null ? [] : [refused]), ...engineOnlyIssues(spec)];
  if (unsupported.length > 0) return { type: 'invalid', issues: unsupported };
  const run = newRun(spec, {}, { retry: handler.retry, gates: null });
  const tooLarge = checkSizes(run);
  if (tooLarge.length > 0) return { type: 'invalid', issues: tooLarge };
  return { type: 'admitted', execution: new Execution(run, handler) };
}

/** Options that hold across processes or not at all. */
const ENGINE_ONLY = [
  ['singletonKey', 'singleton_key'],
  ['debounceSeconds', 'debounce_seconds'],
  ['concurrency', 'concurrency'],
  ['rateLimits', 'rate_limits'],
  ['breakers', 'breakers'],
] as const satisfies readonly (readonly [keyof WorkSpec, string])[];

/** What of a spec only the distributed executor can do. */
export function engineOnlyIssues(spec: WorkSpec): SpecIssue[] {
  return ENGINE_ONLY.filter(([option]) => spec[option] !== undefined).map(([, field]) => ({
    field,
    code: 'unsupported',
    message: `${field} needs the distributed executor: it holds across processes or not at all`,
  }));
}
