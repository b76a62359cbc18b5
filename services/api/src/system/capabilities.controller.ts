import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Settings } from '@spine/config';
import { LIMITS } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { LIMIT } from '../http/paging.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { submitBodyBytes } from '../http/to-problem.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { BATCH_LIMIT } from '../runs/run.schemas.ts';
import { ENGINE, SETTINGS } from '../tokens.ts';
import { API_VERSION } from '../version.ts';

/** What this release of the API can do. A client asks here instead of comparing versions. */
const FEATURES = [
  'runs',
  'batch_submit',
  'idempotency_keys',
  'retries',
  'dead_letters',
  'functions',
  'run_logs',
  'event_stream',
  'published_events',
  'workflows',
  'playground',
  'examples',
  'data_ledger',
  'assets',
  'backfills',
  'readiness',
  'data_plane',
  'schedules',
  'triggers',
  'webhooks',
  'metrics',
  'api_keys',
  'audit_log',
  'queue_board',
] as const;

const capabilitiesJson = z
  .object({
    version: z.string(),
    tier: z
      .enum(['embedded', 'distributed'])
      .describe('embedded: everything in one Postgres; distributed: queue on Redis.'),
    mode: z.enum(['open', 'keys']).describe('open: local mode, no key is asked for.'),
    backends: z.object({ database: z.literal('postgres'), queue: z.string() }),
    features: z.array(z.enum(FEATURES)),
    lanes: z.array(z.string()).describe('Lanes of this deployment’s workers.'),
    limits: z.object({
      body_bytes: z.int(),
      params_bytes: z.int(),
      metadata_bytes: z.int(),
      batch_items: z.int(),
      page_items: z.int(),
    }),
  })
  .meta({ id: 'Capabilities' });

@ApiTags('health')
@Controller('api/v1/capabilities')
export class CapabilitiesController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) private readonly settings: Settings<'api'>,
  ) {}

  @Get()
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'What this deployment can do',
    answers: { 200: { description: 'Capabilities', schema: envelopeOf(capabilitiesJson) } },
  })
  getCapabilities(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Envelope<z.infer<typeof capabilitiesJson>> {
    const { backend } = this.engine.queue;
    const { maxBytes } = this.engine.payloads.limits;
    return success(reply, {
      version: API_VERSION,
      tier: backend === 'bullmq-redis' ? 'distributed' : 'embedded',
      mode: this.settings.api.open ? 'open' : 'keys',
      backends: { database: 'postgres', queue: backend },
      features: [...FEATURES],
      lanes: [...this.settings.worker.lanes],
      limits: {
        body_bytes: submitBodyBytes(maxBytes),
        params_bytes: maxBytes,
        metadata_bytes: LIMITS.metadataBytes,
        batch_items: BATCH_LIMIT,
        page_items: LIMIT.max,
      },
    });
  }
}
