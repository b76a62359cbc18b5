import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Settings, ShownVariable } from '@spine/config';
import { createPool, migrationStatus, runMigrations, serverSettings } from '@spine/database';
import type { MigrationStatus } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { HttpProblem } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE, SETTINGS, VARIABLES } from '../tokens.ts';
import {
  configJson,
  initBody,
  initJson,
  refusalOf,
  toServerSettingJson,
  toSettingJson,
} from './setup.schemas.ts';
import type { InitBody } from './setup.schemas.ts';

@ApiTags('database')
@Controller('api/v1/database')
export class DatabaseSetupController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) private readonly settings: Settings<'api'>,
    @Inject(VARIABLES) private readonly variables: readonly ShownVariable[],
  ) {}

  @Get('config')
  @Operation({
    scope: 'admin',
    summary: 'The settings that are in effect, and where they come from',
    answers: { 200: { description: 'Settings of the API and of Postgres', schema: envelopeOf(configJson) } },
  })
  async getConfig(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof configJson>>> {
    return success(reply, {
      tier: this.settings.tier,
      mode: this.settings.api.open ? 'open' : 'keys',
      settings: this.variables.map(toSettingJson),
      server: (await serverSettings(this.engine.db)).map(toServerSettingJson),
    });
  }

  @Post('init')
  @HttpCode(200)
  @Operation({
    scope: 'admin',
    summary: 'Say which migrations are pending, or apply them',
    description:
      'Applies them as the role of SPINE_ADMIN_DATABASE_URL, each in a transaction; of several that apply at once one works and the others wait. Without that setting it only tells: `npx spine migrate` applies them.',
    answers: { 200: { description: 'What is pending, and what was applied', schema: envelopeOf(initJson) } },
    problems: ['CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async initDatabase(
    @Body({ schema: initBody }) body: InitBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof initJson>>> {
    const adminUrl = this.settings.database.adminUrl?.reveal();
    const { applied, plan } = await this.#status(adminUrl);
    const refusal = refusalOf(plan);
    if (refusal !== null) throw new HttpProblem('CONFLICT', refusal);
    const pending = plan.type === 'apply' ? plan.pending.map(({ name }) => name) : [];
    const found = {
      dry_run: body.dry_run,
      version: Math.max(0, ...applied.map(({ version }) => version)),
      pending,
      applied: [],
      may_apply: adminUrl !== undefined,
    };
    if (body.dry_run || pending.length === 0) return success(reply, found);
    if (adminUrl === undefined) {
      throw new HttpProblem(
        'FORBIDDEN',
        `${pending.length} migrations are pending (${pending.join(', ')}), and this API may not apply them: run ` +
          '`npx spine migrate` as the owner of the database, or set SPINE_ADMIN_DATABASE_URL',
      );
    }
    const report = await runMigrations({ connectionString: adminUrl });
    auditChange(reply.request, { after: { applied: report.applied } });
    return success(reply, { ...found, version: report.version, applied: [...report.applied] });
  }

  /** As the owner where there is one, else as the login role: the services' role is given the ledger by a migration. */
  async #status(adminUrl: string | undefined): Promise<MigrationStatus> {
    const connectionString = adminUrl ?? this.settings.database.url.reveal();
    const pool = createPool({ connectionString, role: null, max: 1, applicationName: 'spine-migrate' });
    try {
      return await migrationStatus(pool);
    } finally {
      await pool.end();
    }
  }
}
