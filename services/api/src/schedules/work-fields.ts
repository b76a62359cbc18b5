/** The spec of the runs that schedules and triggers start, as fields of their own bodies. */
import { z } from 'zod';
import { handlerKey, isStorableText } from '@spine/core';
import { isKnownHandler, workSpecJson } from '@spine/execution';
import type { KnownHandlers, WorkSpecJson } from '@spine/execution';

/** Kinds of run that can be started so: steps belong to workflows. */
export const TARGET_TYPES = ['task', 'operation', 'workflow'] as const;

const { shape } = workSpecJson;

export const targetFields = { target_type: z.enum(TARGET_TYPES), target_name: shape.name };

/** What of a work spec every one of many runs may have. */
const FIELDS = {
  params: shape.params,
  correlation_id: shape.correlation_id,
  priority: shape.priority,
  lane: shape.lane,
  metadata: shape.metadata,
  tags: shape.tags,
  max_retries: shape.max_retries,
  retry_delay_seconds: shape.retry_delay_seconds,
  timeout_seconds: shape.timeout_seconds,
  deadline_seconds: shape.deadline_seconds,
  retry: shape.retry,
  concurrency: shape.concurrency,
  rate_limits: shape.rate_limits,
  breakers: shape.breakers,
  dead_letter: shape.dead_letter,
};

/** @param params what the documentation says of the params. */
export function workFields(params: string) {
  return { ...FIELDS, params: FIELDS.params.describe(params) };
}

type Targeted = { readonly target_type: WorkSpecJson['kind']; readonly target_name: string } & {
  readonly [F in keyof typeof FIELDS]?: WorkSpecJson[F];
};

export function workOf(body: Targeted): WorkSpecJson {
  const fields = Object.keys(FIELDS) as readonly (keyof typeof FIELDS)[];
  const given = Object.fromEntries(
    fields.flatMap((field) => (body[field] === undefined ? [] : [[field, body[field]]])),
  );
  return { ...given, kind: body.target_type, name: body.target_name };
}

/** What whoever makes a schedule or a trigger should know of its target. */
export async function targetWarnings(
  engine: KnownHandlers,
  { target_type: kind, target_name: name }: Targeted,
): Promise<readonly string[]> {
  return (await isKnownHandler(engine, kind, name))
    ? []
    : [`no live worker knows handler ${handlerKey(kind, name)}; its runs wait for one that does`];
}

export const storable = (max: number) =>
  z.string().max(max).refine(isStorableText, 'must not contain NUL characters or lone surrogates');
