import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { listManifest, positionOfManifestRow } from '@spine/database';
import type { ManifestPosition } from '@spine/database';
import type { Engine } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { encodeCursor, list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { manifestFilter, manifestListQuery, manifestRowJson, toManifestRowJson } from './manifest.schemas.ts';
import type { ManifestListQuery, ManifestRowJson } from './manifest.schemas.ts';
import { keysetOf } from './partition-key.schemas.ts';

/** The position in the cursor of a query, if there is one. */
function after(query: ManifestListQuery): { after?: ManifestPosition } {
  const [domain, partitionKey, stage] = keysetOf('manifest', query, 3) ?? [];
  if (domain === undefined || partitionKey === undefined || stage === undefined) return {};
  return { after: { domain, partitionKey, stage } };
}

@ApiTags('data ledger')
@Controller('api/v1/manifest')
export class ManifestController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List the stages that partitions have reached',
    description: 'By domain, partition key and stage; a partition has one row for each stage.',
    answers: { 200: { description: 'One page', schema: listOf(manifestRowJson) } },
  })
  async listManifest(
    @Query({ schema: manifestListQuery }) query: ManifestListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<ManifestRowJson>> {
    const { limit, offset } = query;
    const page = { limit, offset, ...after(query) };
    const found = await listManifest(this.engine.db, manifestFilter(query), page);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toManifestRowJson),
      nextCursor: last === undefined ? null : cursorOf(positionOfManifestRow(last)),
    });
  }
}

function cursorOf({ domain, partitionKey, stage }: ManifestPosition): string {
  return encodeCursor('manifest', JSON.stringify([domain, partitionKey, stage]));
}
