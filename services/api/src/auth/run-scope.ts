/** Which runs a caller may see and where those it submits belong. The one place where a key's namespace is looked at. */
import type { FastifyRequest } from 'fastify';
import { isUuid } from '@spine/core';
import { deadLetterNamespace, runFacts, runNamespace } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { WorkSpec } from '@spine/execution';
import { notFound } from '../http/problem.ts';
import { principalOf } from './principal.ts';

/** Part of a filter of runs, events or dead letters: nothing, or only those of a namespace. */
export interface RunScope {
  readonly namespace?: string;
}

const ALL: RunScope = {};

/** What the lists that a caller asks for are confined to. */
export function runScopeOf(request: FastifyRequest): RunScope {
  const { namespace } = principalOf(request);
  return namespace === null ? ALL : { namespace };
}

/** Whose the runs are that a caller submits: see SubmitOptions. */
export interface RunOwner {
  readonly namespace: string | null;
  readonly submittedBy: string | null;
}

const NOBODY: RunOwner = { namespace: null, submittedBy: null };

/** In local mode nothing is written down: everybody is the same caller. */
export function runOwnerOf(request: FastifyRequest): RunOwner {
  const { type, id, namespace } = principalOf(request);
  return type === 'local' ? NOBODY : { namespace, submittedBy: id };
}

/** @throws HttpProblem NOT_FOUND for another namespace's run as for one that is not there. */
export async function mustSeeRun(db: Queryable, { namespace }: RunScope, runId: string): Promise<void> {
  if (namespace === undefined) return;
  if (!isUuid(runId) || (await runNamespace(db, runId)) !== namespace) throw notFound('run', runId);
}

/** Those of the runs that a caller sees. */
export async function visibleRuns(
  db: Queryable,
  { namespace }: RunScope,
  runIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (namespace === undefined) return new Set(runIds);
  const facts = await runFacts(db, runIds);
  return new Set(runIds.filter((id) => facts.get(id)?.namespace === namespace));
}

/** The same of a dead letter. */
export async function mustSeeDeadLetter(db: Queryable, { namespace }: RunScope, id: string): Promise<void> {
  if (namespace === undefined) return;
  if (!isUuid(id) || (await deadLetterNamespace(db, id)) !== namespace) throw notFound('dead letter', id);
}

/**
 * A spec whose keys cannot meet those of other callers: what holds places, limits and turns of a confined caller is named
 * `<namespace>/<key>`. Breakers are about dependencies, which everybody shares.
 */
export function confineKeys(spec: WorkSpec, { namespace }: RunOwner): WorkSpec {
  if (namespace === null) return spec;
  const { singletonKey, concurrency, rateLimits } = spec;
  const own = <T extends { readonly key: string }>(gate: T): T => ({
    ...gate,
    key: `${namespace}/${gate.key}`,
  });
  return {
    ...spec,
    ...(singletonKey === undefined ? {} : { singletonKey: `${namespace}/${singletonKey}` }),
    ...(concurrency === undefined ? {} : { concurrency: concurrency.map(own) }),
    ...(rateLimits === undefined ? {} : { rateLimits: rateLimits.map(own) }),
  };
}
