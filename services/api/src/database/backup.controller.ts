/**
 * Backups by pg_dump into one folder.
 *
 * 1. One at a time in the whole deployment: under the lock `database:backup`, whose lease is longer than the backup may take.
 * 2. It ends: with its time, and with this process.
 */
import { hostname } from 'node:os';
import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import type { OnModuleDestroy } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Settings } from '@spine/config';
import { assertNever, InvariantError } from '@spine/core';
import { acquireLock, backupDatabase, inspectServer, releaseLock } from '@spine/database';
import type { BackupOutcome } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { pageOf } from '../stats/in-memory-page.ts';
import { ENGINE, SETTINGS } from '../tokens.ts';
import { BackupFolder } from './backup-files.ts';
import {
  backedUpJson,
  backupBody,
  backupFileJson,
  backupListQuery,
  DEFAULT_TIMEOUT_SECONDS,
  toBackupFileJson,
} from './backup.schemas.ts';
import type { BackupBody, BackupListQuery } from './backup.schemas.ts';

const LOCK = 'database:backup';
/** Looking for the program, and putting the file in its place. */
const AROUND_MS = 60_000;

@ApiTags('database')
@Controller('api/v1/database')
export class BackupController implements OnModuleDestroy {
  readonly #closing = new AbortController();

  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) private readonly settings: Settings<'api'>,
  ) {}

  onModuleDestroy(): void {
    this.#closing.abort();
  }

  @Post('backup')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'admin',
    summary: 'Back the database up by pg_dump',
    description:
      'Answers when it is done; a client that hangs up does not stop it, and GET /database/backups shows it once it is whole. The file is in the custom format, for pg_restore.',
    answers: { 200: { description: 'The backup', schema: envelopeOf(backedUpJson) } },
    problems: ['LOCKED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async backUp(
    @Body({ schema: backupBody }) body: BackupBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof backedUpJson>>> {
    const folder = this.#folder();
    const timeoutMs = (body?.timeout_seconds ?? DEFAULT_TIMEOUT_SECONDS) * 1_000;
    const owner = `api ${hostname()}:${process.pid}`;
    const lock = await acquireLock(this.engine.pool, { key: LOCK, owner, ttlMs: timeoutMs + AROUND_MS });
    if (lock.type === 'held') {
      throw new HttpProblem('LOCKED', `a backup is being made by ${lock.by}; wait for it to end`);
    }
    try {
      const target = await folder.prepare(new Date());
      const outcome = await this.#dump(target.partial, timeoutMs);
      const { bytes, durationMs } = done(outcome, timeoutMs);
      await folder.complete(target);
      const made = { name: target.name, bytes, duration_ms: durationMs };
      auditChange(reply.request, { after: made });
      return success(reply, made);
    } finally {
      await releaseLock(this.engine.pool, { key: LOCK, token: lock.token }).catch((error: unknown) => {
        this.engine.logger.warn({ err: error, lock: LOCK }, 'a lock was not given back; it ends by itself');
      });
    }
  }

  @Get('backups')
  @Operation({
    scope: 'admin',
    summary: 'List the backups that are whole, newest first',
    answers: { 200: { description: 'One page', schema: listOf(backupFileJson) } },
  })
  async listBackups(
    @Query({ schema: backupListQuery }) query: BackupListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof backupFileJson>>> {
    const { dir } = this.settings.backup;
    const files = dir === undefined ? [] : await new BackupFolder(dir).list();
    return list(reply, query, pageOf(query, files, toBackupFileJson));
  }

  #folder(): BackupFolder {
    const { dir } = this.settings.backup;
    if (dir !== undefined) return new BackupFolder(dir);
    throw new HttpProblem(
      'UNAVAILABLE',
      'this API makes no backups: set SPINE_BACKUP_DIR to a folder that it may write to',
    );
  }

  async #dump(file: string, timeoutMs: number): Promise<BackupOutcome> {
    const { adminUrl, url } = this.settings.database;
    const { versionNumber } = await inspectServer(this.engine.pool);
    return backupDatabase({
      connectionString: (adminUrl ?? url).reveal(),
      file,
      program: this.settings.backup.program,
      serverVersion: versionNumber,
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(timeoutMs)]),
    });
  }
}

function done(outcome: BackupOutcome, timeoutMs: number): Extract<BackupOutcome, { type: 'done' }> {
  switch (outcome.type) {
    case 'done':
      return outcome;
    case 'no_program':
      throw unavailable(
        `${outcome.program} is not on the API's machine: install Postgres' client programs, or name one by SPINE_PG_DUMP`,
      );
    case 'too_old':
      throw unavailable(
        `${outcome.program} is of version ${outcome.version} and the server of ${outcome.server}: pg_dump must not be older; ` +
          'install a newer one, or name one by SPINE_PG_DUMP',
      );
    case 'not_writable':
      throw unavailable(
        `SPINE_BACKUP_DIR cannot be written to (${outcome.why}); let the API's user write there`,
      );
    case 'aborted':
      throw unavailable(
        `the backup did not end within ${timeoutMs / 1_000} s, or the API was stopped; nothing was kept`,
      );
    case 'failed':
      throw unavailable(`pg_dump failed, and nothing was kept: ${outcome.why}`);
    case 'exists':
      throw new InvariantError('a name of chance was taken');
    default:
      return assertNever(outcome);
  }
}

function unavailable(detail: string): HttpProblem {
  return new HttpProblem('UNAVAILABLE', detail);
}
