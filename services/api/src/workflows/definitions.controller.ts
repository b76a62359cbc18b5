import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Put,
  Query,
  Res,
} from '@nestjs/common';
import { ApiBody, ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Engine } from '@spine/execution';
import { archivePosted, lintWorkflow, rollBackPosted } from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { identify } from '../http/etag.ts';
import { versionOf } from '../http/if-match.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { invalid } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { auditedWorkflow, toAuditedWorkflow } from './definitions.audit.ts';
import type { AuditedWorkflow } from './definitions.audit.ts';
import { SEARCHED, WorkflowCatalog } from './definitions.catalog.ts';
import { WORKFLOW_EXAMPLES } from './definitions.examples.ts';
import { findVersion, findWorkflow, WorkflowNamePipe } from './definitions.find.ts';
import type { FoundVersion } from './definitions.find.ts';
import { postedWorkflow, publishPosted } from './definitions.input.ts';
import { toDetailJson, toSummaryJson, workflowDetailJson, workflowSummaryJson } from './definitions.json.ts';
import type { WorkflowDetailJson, WorkflowSummaryJson } from './definitions.json.ts';
import { refusal } from './definitions.outcome.ts';
import { searchWorkflows } from './definitions.search.ts';
import { archiveQuery, rollbackBody, workflowBody, workflowListQuery } from './definitions.schemas.ts';
import type { ArchiveQuery, RollbackBody, WorkflowBody, WorkflowListQuery } from './definitions.schemas.ts';

const NAME = new WorkflowNamePipe();
/** Warnings of the linter that an answer carries. */
const WARNINGS = 20;

@ApiTags('workflows')
@Controller('api/v1/workflows')
export class WorkflowDefinitionsController {
  readonly #engine: Engine;
  readonly #catalog: WorkflowCatalog;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#engine = engine;
    this.#catalog = new WorkflowCatalog(engine.db);
  }

  @Get()
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'Search workflows',
    description: `Among the first ${SEARCHED} by name; a warning says where there are more.`,
    answers: { 200: { description: 'One page', schema: listOf(workflowSummaryJson) } },
  })
  async listWorkflows(
    @Query({ schema: workflowListQuery }) query: WorkflowListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<WorkflowSummaryJson>> {
    const { offset } = query;
    const { entries, isCapped, unread } = await this.#catalog.workflows(query.archived);
    const scope = runScopeOf(reply.request);
    const { hits, total } = await searchWorkflows(this.#engine.db, entries, query, scope);
    const names = new Map(entries.map(({ name }) => [name.name, name]));
    const items = hits.flatMap((hit) => {
      const name = names.get(hit.workflow.name);
      return name === undefined ? [] : [toSummaryJson(name, hit)];
    });
    const answer = list(reply, query, {
      items,
      total,
      hasMore: offset + items.length < total,
      nextCursor: null,
    });
    const warnings = [
      ...(isCapped
        ? [`there are more than ${SEARCHED} workflows; only the first by name were searched`]
        : []),
      ...unread.map((name) => `workflow ${name} is not read by this release`),
    ];
    return { ...answer, warnings };
  }

  @Post()
  @HttpCode(201)
  @ApiBody({ description: 'A workflow, as YAML or as JSON.', examples: WORKFLOW_EXAMPLES })
  @Operation({
    scope: 'operate',
    summary: 'Publish a workflow',
    description:
      'A changed definition is a new version, with which new runs begin; runs that were submitted keep theirs. The same definition again is no new version (200). Its handlers must be known here or to a live worker.',
    answers: {
      200: { description: 'No new version', schema: envelopeOf(workflowDetailJson) },
      201: { description: 'The workflow at its new version', schema: envelopeOf(workflowDetailJson) },
    },
    problems: ['CONFLICT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  publishWorkflow(
    @Body({ schema: workflowBody }) body: WorkflowBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowDetailJson>> {
    return this.#publish(body, postedWorkflow(body), null, reply);
  }

  @Get(':name')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Get a workflow with its current definition',
    answers: { 200: { description: 'The workflow', schema: envelopeOf(workflowDetailJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async getWorkflow(
    @Param('name', NAME) name: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowDetailJson>> {
    return this.#answer(reply, await findVersion(this.#engine.db, name));
  }

  @Put(':name')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The revision that is to be changed.' })
  @ApiBody({ description: 'A workflow, as YAML or as JSON.', examples: WORKFLOW_EXAMPLES })
  @Operation({
    scope: 'operate',
    summary: 'Publish another version of a workflow',
    description: 'As POST, for a workflow that is there. With If-Match only the revision named is changed.',
    answers: {
      200: { description: 'No new version', schema: envelopeOf(workflowDetailJson) },
      201: { description: 'The workflow at its new version', schema: envelopeOf(workflowDetailJson) },
    },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async replaceWorkflow(
    @Param('name', NAME) name: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: workflowBody }) body: WorkflowBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowDetailJson>> {
    const there = await findWorkflow(this.#engine.db, name);
    if (there.archivedAt !== null) throw refusal({ type: 'archived' }, name);
    const workflow = postedWorkflow(body);
    if (workflow.name !== name) {
      const field = body.yaml_content === undefined ? 'definition.name' : 'metadata.name';
      const message = `must be ${name}, as in the path; given ${workflow.name}`;
      throw invalid([{ field, code: 'other_name', message }]);
    }
    return this.#publish(body, workflow, versionOf(ifMatch) ?? there.revision, reply);
  }

  @Delete(':name')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The revision that is to be archived.' })
  @Operation({
    scope: 'operate',
    summary: 'Archive a workflow',
    description: 'It takes no new runs. Its versions stay, and runs that were submitted go on.',
    answers: { 200: { description: 'The workflow', schema: envelopeOf(workflowDetailJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async archiveWorkflow(
    @Param('name', NAME) name: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Query({ schema: archiveQuery }) { reason }: ArchiveQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowDetailJson>> {
    const revision = versionOf(ifMatch) ?? null;
    const by = actorOf(reply.request);
    const before = await auditedWorkflow(this.#engine.db, name);
    const outcome = await archivePosted(this.#engine, name, { by, revision, reason: reason ?? null });
    if (outcome.type !== 'archived' && outcome.type !== 'unchanged') throw refusal(outcome, name);
    return this.#changed(reply, before, await findVersion(this.#engine.db, name));
  }

  @Post(':name/rollback')
  @HttpCode(200)
  @ApiHeader({ name: 'If-Match', required: false, description: 'The revision that is to be changed.' })
  @Operation({
    scope: 'operate',
    summary: 'Let new runs begin with another version',
    description: 'Runs that were submitted keep theirs. Who did it and why is kept.',
    answers: { 200: { description: 'The workflow', schema: envelopeOf(workflowDetailJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async rollBackWorkflow(
    @Param('name', NAME) name: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: rollbackBody }) { version, reason }: RollbackBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowDetailJson>> {
    const change = { by: actorOf(reply.request), revision: versionOf(ifMatch) ?? null, version, reason };
    const before = await auditedWorkflow(this.#engine.db, name);
    const outcome = await rollBackPosted(this.#engine, name, change);
    if (outcome.type !== 'rolled_back' && outcome.type !== 'unchanged') throw refusal(outcome, name);
    return this.#changed(reply, before, await findVersion(this.#engine.db, name));
  }

  async #publish(
    body: WorkflowBody,
    workflow: WorkflowInput,
    revision: number | null,
    reply: FastifyReply,
  ): Promise<Envelope<WorkflowDetailJson>> {
    const change = { by: actorOf(reply.request), revision, changelog: body.changelog ?? null };
    const before = await auditedWorkflow(this.#engine.db, workflow.name);
    const outcome = await publishPosted(this.#engine, body, workflow, change);
    if (outcome.type !== 'published' && outcome.type !== 'unchanged') throw refusal(outcome, workflow.name);
    void reply.code(outcome.type === 'published' && outcome.isNewVersion ? 201 : 200);
    void reply.header('location', `/api/v1/workflows/${workflow.name}`);
    const warnings = lintWorkflow(workflow)
      .diagnostics.filter(({ severity }) => severity === 'warning')
      .slice(0, WARNINGS)
      .map(({ code, field, message }) => `${code} ${field}: ${message}`);
    return this.#changed(reply, before, await findVersion(this.#engine.db, workflow.name), warnings);
  }

  #changed(
    reply: FastifyReply,
    before: AuditedWorkflow | undefined,
    found: FoundVersion,
    warnings: readonly string[] = [],
  ): Envelope<WorkflowDetailJson> {
    auditChange(reply.request, { before, after: toAuditedWorkflow(found) });
    return this.#answer(reply, found, warnings);
  }

  #answer(
    reply: FastifyReply,
    { workflow, version, input }: FoundVersion,
    warnings: readonly string[] = [],
  ): Envelope<WorkflowDetailJson> {
    identify(reply, String(workflow.revision));
    const self = `/api/v1/workflows/${workflow.name}`;
    const links = ['versions', 'publications', 'yaml', 'mermaid'].map((rel) => ({
      rel,
      href: `${self}/${rel}`,
    }));
    return success(reply, toDetailJson(workflow, version, input), {
      warnings,
      links: [{ rel: 'self', href: self }, ...links],
    });
  }
}
