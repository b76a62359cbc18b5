import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { rerunEffect } from '@spine/core';
import type { Engine } from '@spine/execution';
import { dryRun, lintToJson, lintWorkflow, publishedLookups } from '@spine/orchestration';
import type { LintOptions } from '@spine/orchestration';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { ESTIMATED_HOURS, measuredEstimators } from './definitions.estimates.ts';
import { findVersion, WorkflowNamePipe } from './definitions.find.ts';
import { lintPosted } from './definitions.input.ts';
import { dryRunJson, lintJson, toDryRunJson } from './definitions-checks.json.ts';
import type { LintJson } from './definitions-checks.json.ts';
import { dryRunBody, lintBody, lintPostedBody, versionQuery } from './definitions.schemas.ts';
import type { DryRunBody, LintBody, LintPostedBody, VersionQuery } from './definitions.schemas.ts';

type DryRunJson = z.infer<typeof dryRunJson>;

const NAME = new WorkflowNamePipe();

@ApiTags('workflows')
@Controller('api/v1/workflows')
export class WorkflowChecksController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post('lint')
  @HttpCode(200)
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Lint a workflow that need not be stored',
    description: 'What keeps it from being a workflow is said as E001, of a YAML file with line and column.',
    answers: { 200: { description: 'What the linter says', schema: envelopeOf(lintJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async lintPosted(
    @Body({ schema: lintPostedBody }) { ignore, ...body }: LintPostedBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<LintJson>> {
    const { workflow, diagnostics } = await lintPosted(this.engine, body, this.#lintOptions(ignore));
    return success(reply, lintToJson(workflow, diagnostics));
  }

  @Post(':name/lint')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Lint a workflow',
    answers: { 200: { description: 'What the linter says', schema: envelopeOf(lintJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async lintWorkflow(
    @Param('name', NAME) name: string,
    @Body({ schema: lintBody }) { ignore }: LintBody,
    @Query({ schema: versionQuery }) { version }: VersionQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<LintJson>> {
    const { input } = await findVersion(this.engine.db, name, version);
    const lookups = await publishedLookups(this.engine, input);
    const { diagnostics } = lintWorkflow(input, { ...this.#lintOptions(ignore), lookups });
    return success(reply, lintToJson(name, diagnostics));
  }

  @Post(':name/dry-run')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'Tell what a run of a workflow would do, without doing it',
    description: `The order of its steps, what they wait for, and what they are expected to take: the medians of the steps of the last ${ESTIMATED_HOURS} hours.`,
    answers: { 200: { description: 'What it would do', schema: envelopeOf(dryRunJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async dryRunWorkflow(
    @Param('name', NAME) name: string,
    @Body({ schema: dryRunBody }) { params, version: asked, environment }: DryRunBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<DryRunJson>> {
    const { input, version } = await findVersion(this.engine.db, name, asked);
    const result = dryRun(input, {
      params,
      lookups: await publishedLookups(this.engine, input),
      estimators: await measuredEstimators(this.engine.db, input, runScopeOf(reply.request).namespace),
      ...(environment === undefined ? {} : { environment }),
    });
    return success(reply, toDryRunJson(result, version.version, ESTIMATED_HOURS));
  }

  /** Operations say of themselves what a second run does; nobody says it of functions. */
  #lintOptions(ignore: readonly string[] | undefined): LintOptions {
    return {
      ...(ignore === undefined ? {} : { ignore }),
      isIdempotent: (kind, handler) => {
        const level =
          kind === 'operation' ? this.engine.registry.get('operation', handler)?.idempotency : null;
        return level === null || level === undefined ? undefined : rerunEffect(level) !== 'duplicates';
      },
    };
  }
}
