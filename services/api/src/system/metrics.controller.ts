import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Engine } from '@spine/execution';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';

@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @Operation({
    scope: 'metrics',
    summary: 'Metrics of this process for Prometheus',
    answers: { 200: { description: 'Prometheus text', mediaType: 'text/plain' } },
  })
  getMetrics(@Query({ schema: noQuery }) _query: NoQuery): Promise<string> {
    return this.engine.metrics.registry.metrics();
  }
}
