import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Settings } from '@spine/config';
import { judgeDeployment } from '@spine/core';
import { migrationStatus } from '@spine/database';
import type { MigrationStatus } from '@spine/database';
import { Recent } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { pageOf } from '../stats/in-memory-page.ts';
import { ENGINE, SETTINGS } from '../tokens.ts';
import { lookAtBackends } from './backends.ts';
import {
  backendsJson,
  deployServiceJson,
  deployStatusJson,
  schemaStateOf,
  serviceListQuery,
  toDeployStatusJson,
} from './deploy.schemas.ts';
import type { BackendJson, DeployServiceJson, ServiceListQuery } from './deploy.schemas.ts';
import { liveServices, toDeployProcess } from './processes.ts';

/** However many look, what stands behind the API is asked this seldom: a look at Redis is a connection. */
const BACKENDS_MAX_AGE_MS = 2_000;

const NOT_PERMITTED = '42501';

@ApiTags('deploy')
@Controller('api/v1/deploy')
export class DeployController {
  readonly #backends: Recent<BackendJson[]>;

  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) settings: Settings<'api'>,
  ) {
    this.#backends = new Recent(() => lookAtBackends(engine, settings), {
      maxAgeMs: BACKENDS_MAX_AGE_MS,
    });
  }

  @Get('status')
  @Operation({
    scope: 'read',
    summary: 'Which versions run, and whether the schema is theirs',
    answers: { 200: { description: 'Versions, schema, problems', schema: envelopeOf(deployStatusJson) } },
  })
  async getDeployStatus(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof deployStatusJson>>> {
    const [services, migrations] = await Promise.all([liveServices(this.engine), this.#migrations()]);
    const verdict = judgeDeployment({
      processes: services.map(toDeployProcess),
      schema: schemaStateOf(migrations),
    });
    return success(reply, toDeployStatusJson(verdict, migrations));
  }

  @Get('services')
  @Operation({
    scope: 'read',
    summary: 'List the live processes, by service and age',
    answers: { 200: { description: 'One page', schema: listOf(deployServiceJson) } },
  })
  async listServices(
    @Query({ schema: serviceListQuery }) query: ServiceListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<DeployServiceJson>> {
    const services = (await liveServices(this.engine))
      .filter(({ service }) => query.service === undefined || service === query.service)
      .sort((a, b) => a.service.localeCompare(b.service) || a.started_at.localeCompare(b.started_at));
    return list(
      reply,
      query,
      pageOf(query, services, (service) => service),
    );
  }

  @Get('backends')
  @Operation({
    scope: 'read',
    summary: 'What the deployment stands on: versions, latency, settings that matter',
    description: 'At most two seconds old. Addresses and credentials are not told.',
    answers: {
      200: {
        description: 'Postgres, Redis where there is one, the payload store',
        schema: envelopeOf(backendsJson),
      },
    },
  })
  async getBackends(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackendJson[]>> {
    return success(reply, await this.#backends.get());
  }

  async #migrations(): Promise<MigrationStatus | null> {
    try {
      return await migrationStatus(this.engine.pool);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === NOT_PERMITTED) return null;
      throw error;
    }
  }
}
