import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Engine } from '@spine/execution';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { ENGINE } from '../tokens.ts';

@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @ApiOperation({ summary: 'Metrics of this process for Prometheus' })
  @ApiResponse({
    status: 200,
    description: 'Prometheus text',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  getMetrics(@Query({ schema: noQuery }) _query: NoQuery): Promise<string> {
    return this.engine.metrics.registry.metrics();
  }
}
