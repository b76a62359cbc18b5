/** What a deployment is made of: answers. */
import { z } from 'zod';
import { DEPLOY_SERVICES } from '@spine/core';
import type { DeployVerdict, SchemaState } from '@spine/core';
import type { MigrationStatus } from '@spine/database';
import { offsetPaging } from '../http/paging.ts';
import { API_VERSION } from '../version.ts';

const instant = z.iso.datetime();
const serviceName = z.enum(DEPLOY_SERVICES);

export const deployStatusJson = z
  .object({
    status: z.enum(['ok', 'attention']),
    problems: z.array(z.object({ code: z.string(), message: z.string() })),
    api_version: z.string().describe('Of the process that answers.'),
    versions: z
      .array(
        z.object({
          version: z.string(),
          services: z.object({ api: z.int(), scheduler: z.int(), worker: z.int() }),
          since: instant.describe('Since when one of its live processes has run.'),
        }),
      )
      .describe(
        'Of the live processes, the one that has run longest first. More than one: a deployment is under way.',
      ),
    schema: z.object({
      state: z.enum(['current', 'behind', 'ahead', 'edited', 'unreadable']),
      version: z
        .int()
        .nullable()
        .describe('The last migration that was applied; null where it cannot be read.'),
      applied: z.int().nullable(),
      last_applied_at: instant.nullable(),
      pending: z.array(z.string()),
    }),
  })
  .meta({ id: 'DeployStatus' });

export const deployServiceJson = z
  .object({
    service: serviceName,
    process_id: z.string().describe('Of a worker: its worker_id.'),
    hostname: z.string(),
    pid: z.int(),
    version: z.string(),
    status: z.enum(['active', 'draining']),
    lanes: z.array(z.string()).nullable().describe('Of a worker; null for the others.'),
    started_at: instant,
    last_seen_at: instant,
  })
  .meta({ id: 'DeployService' });
export type DeployServiceJson = z.infer<typeof deployServiceJson>;

export const serviceListQuery = z.strictObject({
  service: serviceName.optional(),
  ...offsetPaging,
});
export type ServiceListQuery = z.infer<typeof serviceListQuery>;

export const backendJson = z
  .object({
    backend: z.enum(['postgres', 'redis', 'payloads']),
    role: z.string().describe('What it is there for.'),
    status: z.enum(['up', 'down']),
    version: z.string().nullable(),
    latency_ms: z.number().nullable().describe('Of one question; null while it is down.'),
    settings: z.array(z.object({ name: z.string(), value: z.string() })),
    problems: z.array(z.object({ code: z.string(), message: z.string() })),
  })
  .meta({ id: 'DeployBackend' });
export type BackendJson = z.infer<typeof backendJson>;

export const backendsJson = z.array(backendJson);

/** Null: the ledger of migrations cannot be read. */
export function schemaStateOf(status: MigrationStatus | null): SchemaState {
  if (status === null) return 'unreadable';
  switch (status.plan.type) {
    case 'apply':
      return status.plan.pending.length === 0 ? 'current' : 'behind';
    case 'edited':
      return 'edited';
    case 'unknown':
      return 'ahead';
  }
}

export function toDeployStatusJson(
  verdict: DeployVerdict,
  migrations: MigrationStatus | null,
): z.infer<typeof deployStatusJson> {
  const last = migrations?.applied.at(-1);
  return {
    status: verdict.status,
    problems: verdict.problems.map(({ code, message }) => ({ code, message })),
    api_version: API_VERSION,
    versions: verdict.versions.map(({ version, services, since }) => ({
      version,
      services: { ...services },
      since: since.toISOString(),
    })),
    schema: {
      state: schemaStateOf(migrations),
      version: last?.version ?? null,
      applied: migrations?.applied.length ?? null,
      last_applied_at: last?.appliedAt.toISOString() ?? null,
      pending: migrations?.plan.type === 'apply' ? migrations.plan.pending.map(({ name }) => name) : [],
    },
  };
}
