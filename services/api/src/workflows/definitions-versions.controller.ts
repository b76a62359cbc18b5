import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { listPublications, listWorkflowVersions } from '@spine/database';
import type { Engine } from '@spine/execution';
import { diffWorkflows, stringifyWorkflowYaml } from '@spine/orchestration';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { identify } from '../http/etag.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { findVersion, findWorkflow, VersionPipe, WorkflowNamePipe } from './definitions.find.ts';
import {
  diffJson,
  publicationJson,
  toDiffJson,
  toPublicationJson,
  toVersionJson,
  toVersionSummaryJson,
  versionJson,
  versionSummaryJson,
} from './definitions.json.ts';
import { versionListQuery, versionQuery } from './definitions.schemas.ts';
import type { VersionListQuery, VersionQuery } from './definitions.schemas.ts';

type VersionSummaryJson = z.infer<typeof versionSummaryJson>;
type VersionJson = z.infer<typeof versionJson>;
type PublicationJson = z.infer<typeof publicationJson>;
type DiffJson = z.infer<typeof diffJson>;

const NAME = new WorkflowNamePipe();
const VERSION = new VersionPipe();

const isNumber = (text: string): boolean => /^[1-9]\d{0,14}$/.test(text);

@ApiTags('workflows')
@Controller('api/v1/workflows/:name')
export class WorkflowVersionsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('yaml')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Get a workflow as a YAML file',
    description: 'Posting it again gives the same definition.',
    answers: { 200: { description: 'The file', mediaType: 'text/yaml' } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async getWorkflowYaml(
    @Param('name', NAME) name: string,
    @Query({ schema: versionQuery }) query: VersionQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { input, version } = await findVersion(this.engine.db, name, query.version);
    identify(reply, `${version.version}.${version.hash}`);
    void reply.type('text/yaml; charset=utf-8');
    return stringifyWorkflowYaml(input, version.version);
  }

  @Get('versions')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'List the versions of a workflow, newest first',
    answers: { 200: { description: 'One page', schema: listOf(versionSummaryJson) } },
    problems: ['NOT_FOUND'],
  })
  async listWorkflowVersions(
    @Param('name', NAME) name: string,
    @Query({ schema: versionListQuery }) query: VersionListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<VersionSummaryJson>> {
    const { db } = this.engine;
    await findWorkflow(db, name);
    const position = positionOf('versions', query, isNumber);
    const before = position === undefined ? null : Number(position);
    const found = await listWorkflowVersions(db, name, { ...query, before });
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toVersionSummaryJson),
      nextCursor: last === undefined ? null : encodeCursor('versions', String(last.version)),
    });
  }

  @Get('versions/:version')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Get a version of a workflow',
    answers: { 200: { description: 'The version', schema: envelopeOf(versionJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async getWorkflowVersion(
    @Param('name', NAME) name: string,
    @Param('version', VERSION) number: number,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<VersionJson>> {
    const { version } = await findVersion(this.engine.db, name, number);
    identify(reply, `${version.version}.${version.hash}`);
    return success(reply, toVersionJson(version));
  }

  @Get('versions/:before/diff/:after')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Compare two versions of a workflow',
    answers: { 200: { description: 'What differs', schema: envelopeOf(diffJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async diffWorkflowVersions(
    @Param('name', NAME) name: string,
    @Param('before', VERSION) before: number,
    @Param('after', VERSION) after: number,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<DiffJson>> {
    const { db } = this.engine;
    const one = await findVersion(db, name, before);
    const two = await findVersion(db, name, after);
    return success(reply, toDiffJson(name, [before, after], diffWorkflows(one.input, two.input)));
  }

  @Get('publications')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'List what the name of a workflow has stood for, newest first',
    description: 'Every publication, rollback and archiving, with who and why.',
    answers: { 200: { description: 'One page', schema: listOf(publicationJson) } },
    problems: ['NOT_FOUND'],
  })
  async listWorkflowPublications(
    @Param('name', NAME) name: string,
    @Query({ schema: versionListQuery }) query: VersionListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<PublicationJson>> {
    const { db } = this.engine;
    await findWorkflow(db, name);
    const position = positionOf('publications', query, isNumber);
    const before = position === undefined ? null : Number(position);
    const found = await listPublications(db, name, { ...query, before });
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toPublicationJson),
      nextCursor: last === undefined ? null : encodeCursor('publications', String(last.publicationId)),
    });
  }
}
