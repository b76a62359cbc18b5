import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { isAssetKey } from '@spine/core';
import type { AssetKey } from '@spine/core';
import {
  assetLineage,
  defineAsset,
  getAsset,
  inputsOf,
  listAssets,
  listMaterializations,
  listObservations,
  recordObservation,
} from '@spine/database';
import type { AssetState } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { AssetKeyPipe } from './asset-key.pipe.ts';
import {
  assetJson,
  lineageJson,
  materializationWithInputsJson,
  observationJson,
  observedJson,
  toAssetJson,
  toLineageJson,
  toMaterializationWithInputsJson,
  toObservationJson,
} from './assets.json.ts';
import {
  assetBody,
  assetListQuery,
  lineageQuery,
  materializationListQuery,
  observationBody,
  observationListQuery,
} from './assets.schemas.ts';
import type {
  AssetBody,
  AssetListQuery,
  LineageQuery,
  MaterializationListQuery,
  ObservationBody,
  ObservationListQuery,
} from './assets.schemas.ts';

const KEY = new AssetKeyPipe();
const KEY_PARAM = {
  name: 'asset_key',
  description: 'Its slashes are sent as %2F: sec%2Ffilings%2F10-K.',
  schema: { type: 'string' as const, example: 'sec/filings/10-K' },
};

/** Ids are counted; beyond this a number is no id. */
function isCounted(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}

function before(position: string | undefined): { before?: string } {
  return position === undefined ? {} : { before: position };
}

@ApiTags('assets')
@Controller('api/v1/assets')
export class AssetsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List assets by key, with their freshness',
    answers: { 200: { description: 'One page', schema: listOf(assetJson) } },
  })
  async listAssets(
    @Query({ schema: assetListQuery }) query: AssetListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof assetJson>>> {
    const { prefix, domain, freshness, limit, offset } = query;
    const after = positionOf('assets', query, isAssetKey);
    const found = await listAssets(
      this.engine.db,
      {
        ...(prefix === undefined ? {} : { prefix }),
        ...(domain === undefined ? {} : { domain }),
        ...(freshness === undefined ? {} : { freshness }),
      },
      { limit, offset, ...(after === undefined ? {} : { after }) },
    );
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toAssetJson),
      nextCursor: last === undefined ? null : encodeCursor('assets', last.assetKey),
    });
  }

  @Get(':asset_key')
  @ApiParam(KEY_PARAM)
  @Operation({
    scope: 'read',
    summary: 'Get an asset as it stands',
    answers: { 200: { description: 'The asset', schema: envelopeOf(assetJson) } },
    problems: ['NOT_FOUND'],
  })
  async getAsset(
    @Param('asset_key', KEY) key: AssetKey,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof assetJson>>> {
    return success(reply, toAssetJson(await this.#known(key)));
  }

  @Put(':asset_key')
  @ApiParam(KEY_PARAM)
  @Operation({
    scope: 'operate',
    summary: 'Say what an asset is and how fresh it has to be',
    description:
      'Said again, the newest definition holds. Materializations and observations stay as they are.',
    answers: { 200: { description: 'Defined', schema: envelopeOf(assetJson) } },
    problems: ['NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async defineAsset(
    @Param('asset_key', KEY) key: AssetKey,
    @Body({ schema: assetBody }) body: AssetBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof assetJson>>> {
    const { domain, description, max_lag_seconds: maxLagSeconds, metadata } = body;
    const before = await getAsset(this.engine.db, key);
    await defineAsset(this.engine.db, { assetKey: key, domain, description, maxLagSeconds, metadata });
    const after = toAssetJson(await this.#known(key));
    auditChange(reply.request, { ...(before === null ? {} : { before: toAssetJson(before) }), after });
    return success(reply, after);
  }

  @Get(':asset_key/materializations')
  @ApiParam(KEY_PARAM)
  @Operation({
    scope: 'read',
    summary: 'List the materializations of an asset, newest first',
    answers: { 200: { description: 'One page', schema: listOf(materializationWithInputsJson) } },
    problems: ['NOT_FOUND'],
  })
  async listMaterializations(
    @Param('asset_key', KEY) key: AssetKey,
    @Query({ schema: materializationListQuery }) query: MaterializationListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof materializationWithInputsJson>>> {
    const page = {
      limit: query.limit,
      offset: query.offset,
      ...before(positionOf('materializations', query, isCounted)),
    };
    const found = await listMaterializations(this.engine.db, key, query.partition_key ?? null, page);
    if (found.total === 0) await this.#known(key);
    const inputs = await inputsOf(
      this.engine.db,
      found.items.map(({ materializationId }) => materializationId),
    );
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map((row) =>
        toMaterializationWithInputsJson(row, inputs.get(row.materializationId) ?? []),
      ),
      nextCursor:
        last === undefined ? null : encodeCursor('materializations', String(last.materializationId)),
    });
  }

  @Get(':asset_key/observations')
  @ApiParam(KEY_PARAM)
  @Operation({
    scope: 'read',
    summary: 'List the observations of an asset, newest first',
    answers: { 200: { description: 'One page', schema: listOf(observationJson) } },
    problems: ['NOT_FOUND'],
  })
  async listObservations(
    @Param('asset_key', KEY) key: AssetKey,
    @Query({ schema: observationListQuery }) query: ObservationListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof observationJson>>> {
    const page = {
      limit: query.limit,
      offset: query.offset,
      ...before(positionOf('observations', query, isCounted)),
    };
    const found = await listObservations(this.engine.db, key, page);
    if (found.total === 0) await this.#known(key);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toObservationJson),
      nextCursor: last === undefined ? null : encodeCursor('observations', String(last.observationId)),
    });
  }

  @Post(':asset_key/observations')
  @HttpCode(201)
  @ApiParam(KEY_PARAM)
  @Operation({
    scope: 'operate',
    summary: 'Record that somebody looked at an asset',
    description: 'Appended, never changed.',
    answers: { 201: { description: 'Recorded', schema: envelopeOf(observedJson) } },
    problems: ['NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async recordObservation(
    @Param('asset_key', KEY) key: AssetKey,
    @Body({ schema: observationBody }) body: ObservationBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof observedJson>>> {
    const recorded = await recordObservation(this.engine.db, {
      assetKey: key,
      partitionKey: body.partition_key,
      runId: body.run_id,
      batchId: body.batch_id,
      observedBy: body.observed_by,
      dataVersion: body.data_version,
      rowCount: body.row_count,
      metadata: body.metadata,
    });
    if (recorded === null) throw notFound('asset', key);
    return success(reply, {
      observation_id: recorded.observationId,
      asset_key: key,
      observed_at: recorded.observedAt.toISOString(),
    });
  }

  @Get(':asset_key/lineage')
  @ApiParam(KEY_PARAM)
  @Operation({
    scope: 'read',
    summary: 'What an asset is made from, and what is made from it',
    answers: { 200: { description: 'The assets around it', schema: envelopeOf(lineageJson) } },
    problems: ['NOT_FOUND'],
  })
  async getLineage(
    @Param('asset_key', KEY) key: AssetKey,
    @Query({ schema: lineageQuery }) query: LineageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof lineageJson>>> {
    const lineage = await assetLineage(this.engine.db, key, query.direction, query.depth);
    // A source has no row of its own, and may still be what others are made from.
    if (lineage.edges.length === 0) await this.#known(key);
    return success(reply, toLineageJson(key, lineage));
  }

  async #known(key: AssetKey): Promise<AssetState> {
    const asset = await getAsset(this.engine.db, key);
    if (asset === null) throw notFound('asset', key);
    return asset;
  }
}
