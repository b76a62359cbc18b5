/** Questions to a workflow run, answered from one snapshot without touching it. */
import { assertNever } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { readShownRecords } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import type { StepState } from '../engine/state.ts';
import { look } from './inspect-look.ts';
import type { InspectServices, Inspected } from './inspect-look.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';
import { stepViews } from './inspect-steps.ts';
import type { StepView } from './inspect-steps.ts';

export const WORKFLOW_QUERIES = ['state', 'context', 'outputs', 'step', 'signals'] as const;

export type WorkflowQuery =
  /** The phase, and how many steps are where. */
  | { readonly name: 'state' }
  /** Params, context, environment and what an earlier run has handed on. */
  | { readonly name: 'context' }
  /** Outputs of steps that have completed; default all of them, as far as they fit. */
  | { readonly name: 'outputs'; readonly steps?: readonly string[] | undefined }
  /** Everything of one step, its output whole. */
  | { readonly name: 'step'; readonly step: string }
  | { readonly name: 'signals' };

export type QueryAnswer =
  | {
      readonly name: 'state';
      readonly phase: string;
      readonly paused: boolean;
      readonly outcome: string | null;
      readonly steps: Readonly<Record<string, number>>;
      readonly events: number;
    }
  | {
      readonly name: 'context';
      readonly params: JsonObject;
      readonly context: JsonObject;
      readonly previous: JsonObject;
      readonly environment: string;
    }
  | {
      readonly name: 'outputs';
      readonly outputs: Readonly<Record<string, JsonObject>>;
      /** Completed steps whose outputs did not fit: ask for them by name. */
      readonly omitted: readonly string[];
    }
  | { readonly name: 'step'; readonly step: StepView }
  | { readonly name: 'signals'; readonly signals: Readonly<Record<string, JsonObject>> }
  | { readonly name: 'unknown_step'; readonly step: string };

export const QUERY_LIMITS = {
  /** Outputs of one answer, in bytes of JSON. */
  outputBytes: 4 * 1024 * 1024,
  steps: 200,
} as const;

export function queryWorkflowRun(
  services: InspectServices,
  runId: string,
  query: WorkflowQuery,
): Promise<Inspected<QueryAnswer>> {
  return look(services, runId, (trx, snapshot) => answer(trx, snapshot, query));
}

async function answer(
  trx: DbTransaction,
  snapshot: WorkflowSnapshot,
  query: WorkflowQuery,
): Promise<QueryAnswer> {
  const { run, record, head, graph, statusOf } = snapshot;
  switch (query.name) {
    case 'state': {
      const steps: Record<string, number> = {};
      for (const name of graph.names()) steps[statusOf(name)] = (steps[statusOf(name)] ?? 0) + 1;
      const { phase } = head;
      const paused = run.status === 'paused' || head.paused;
      const outcome = phase.type === 'new' || phase.type === 'running' ? null : phase.outcome.status;
      return { name: 'state', phase: phase.type, paused, outcome, steps, events: record.seq };
    }
    case 'context': {
      const { params, context, previous, environment } = head;
      return { name: 'context', params, context, previous, environment };
    }
    case 'outputs':
      return outputs(trx, snapshot, query.steps);
    case 'step': {
      if (!graph.has(query.step)) return { name: 'unknown_step', step: query.step };
      const [step] = await stepViews(trx, snapshot, [query.step], 2_147_483_647);
      return step === undefined ? { name: 'unknown_step', step: query.step } : { name: 'step', step };
    }
    case 'signals':
      return { name: 'signals', signals: head.signals };
    default:
      return assertNever(query);
  }
}

async function outputs(
  trx: DbTransaction,
  { run, graph, statusOf }: WorkflowSnapshot,
  asked: readonly string[] | undefined,
): Promise<QueryAnswer> {
  const unknown = asked?.find((name) => !graph.has(name));
  if (unknown !== undefined) return { name: 'unknown_step', step: unknown };
  const completed = (asked ?? graph.names()).filter((name) => statusOf(name) === 'completed');
  const found: [string, JsonObject][] = [];
  const omitted: string[] = [];
  let left: number = QUERY_LIMITS.outputBytes;
  for (let from = 0; from < completed.length; from += QUERY_LIMITS.steps) {
    const names = completed.slice(from, from + QUERY_LIMITS.steps);
    const share = Math.floor(left / names.length);
    const records = await readShownRecords(trx, run.runId, 'step', names, {
      maxBytes: share,
      large: ['output'],
    });
    for (const name of names) {
      const { output } = (records.get(name)?.value ?? {}) as Partial<StepState>;
      if (output === undefined || output === null) omitted.push(name);
      else {
        left -= Buffer.byteLength(JSON.stringify(output));
        found.push([name, output]);
      }
    }
  }
  return { name: 'outputs', outputs: Object.fromEntries(found), omitted };
}
