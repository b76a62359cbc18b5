import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Engine } from '@spine/execution';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { HttpProblem } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { API_VERSION } from '../version.ts';
import { DependencyChecks } from './dependencies.ts';

const dependencyJson = z
  .object({ status: z.enum(['up', 'down']), latency_ms: z.number() })
  .meta({ id: 'DependencyStatus' });

const healthJson = z
  .object({
    status: z.literal('ok'),
    version: z.string(),
    uptime_seconds: z.number(),
    dependencies: z.object({ database: dependencyJson, queue: dependencyJson }),
  })
  .meta({ id: 'Health' });

const liveJson = z.object({ status: z.literal('ok') }).meta({ id: 'Alive' });

const READY = { 200: { description: 'Everything answers', schema: envelopeOf(healthJson) } };
const DOWN = 'With a dependency down: 503, the problem has its state under dependencies.';

@ApiTags('health')
@Controller('health')
export class HealthController {
  readonly #checks: DependencyChecks;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#checks = new DependencyChecks(engine);
  }

  @Get()
  @Operation({
    scope: 'open',
    summary: 'Health of the API and what it stands on',
    description: DOWN,
    answers: READY,
  })
  getHealth(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof healthJson>>> {
    return this.#report(reply);
  }

  @Get('live')
  @Operation({
    scope: 'open',
    summary: 'Whether the process runs',
    answers: { 200: { description: 'It does', schema: envelopeOf(liveJson) } },
  })
  getLiveness(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Envelope<z.infer<typeof liveJson>> {
    return success(reply, { status: 'ok' });
  }

  @Get('ready')
  @Operation({ scope: 'open', summary: 'Whether requests can be served', description: DOWN, answers: READY })
  getReadiness(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof healthJson>>> {
    return this.#report(reply);
  }

  async #report(reply: FastifyReply): Promise<Envelope<z.infer<typeof healthJson>>> {
    const dependencies = await this.#checks.all();
    const down = Object.entries(dependencies).filter(([, { status }]) => status === 'down');
    if (down.length > 0) {
      const names = down.map(([name]) => name).join(' and ');
      throw new HttpProblem('UNAVAILABLE', `${names} does not answer`, { members: { dependencies } });
    }
    const uptime = Math.round(process.uptime());
    return success(reply, { status: 'ok', version: API_VERSION, uptime_seconds: uptime, dependencies });
  }
}
