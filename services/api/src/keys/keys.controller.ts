import { randomBytes } from 'node:crypto';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { assertNever, formatApiKey, isUuid, mayGrant, newId } from '@spine/core';
import type { Grant } from '@spine/core';
import {
  expireApiKey,
  getApiKey,
  insertApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
} from '@spine/database';
import type { ApiKeyRecord } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { digestOf } from '../auth/digest.ts';
import type { KeyDirectory } from '../auth/key-directory.ts';
import { principalOf } from '../auth/principal.ts';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { ENGINE, KEYS } from '../tokens.ts';
import {
  expireBody,
  keyJson,
  keyListQuery,
  newKeyBody,
  rotateBody,
  shownKeyJson,
  toKeyJson,
} from './key.schemas.ts';
import type {
  ExpireBody,
  KeyJson,
  KeyListQuery,
  NewKeyBody,
  RotateBody,
  ShownKeyJson,
} from './key.schemas.ts';

const KEY_ID = new IdPipe('key');
const SECRET_BYTES = 32;

/** The text of a key that exists nowhere yet. */
function newText(keyId: string): string {
  return formatApiKey(keyId, randomBytes(SECRET_BYTES).toString('base64url'));
}

/** @throws HttpProblem: nobody gives, or takes over, more than they have. */
function mustGrant(request: FastifyRequest, wanted: Grant): void {
  const verdict = mayGrant(principalOf(request), wanted);
  switch (verdict.type) {
    case 'granted':
      return;
    case 'scopes_missing':
      throw new HttpProblem('FORBIDDEN', `the key you use has not the scopes ${verdict.scopes.join(', ')}`);
    case 'namespace_confined':
      throw new HttpProblem(
        'FORBIDDEN',
        `the key you use is confined to the namespace ${verdict.own} and cannot give another one`,
      );
    default:
      assertNever(verdict);
  }
}

@ApiTags('keys')
@Controller('api/v1/keys')
export class KeysController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(KEYS) private readonly keys: KeyDirectory,
  ) {}

  @Post()
  @HttpCode(201)
  @Operation({
    scope: 'admin',
    confinement: 'filtered',
    summary: 'Create an API key',
    description: 'Its text is in this answer and nowhere else.',
    answers: { 201: { description: 'The key', schema: envelopeOf(shownKeyJson) } },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async createKey(
    @Body({ schema: newKeyBody }) body: NewKeyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ShownKeyJson>> {
    const { request } = reply;
    const { id: createdBy, namespace: own } = principalOf(request);
    const namespace = body.namespace === undefined ? own : body.namespace;
    const scopes = [...new Set(body.scopes)];
    mustGrant(request, { scopes, namespace });
    const keyId = newId();
    const key = newText(keyId);
    const stored = await insertApiKey(this.engine.db, {
      keyId,
      name: body.name,
      scopes,
      namespace,
      hash: digestOf(key),
      createdBy,
      expiresAt: body.expires_at ?? null,
    });
    if (stored === null) {
      throw invalid([{ field: 'expires_at', code: 'in_the_past', message: 'must be in the future' }]);
    }
    const data = toKeyJson(stored);
    auditChange(request, { after: data });
    const self = `/api/v1/keys/${keyId}`;
    void reply.header('location', self);
    return success(reply, { ...data, key }, { links: [{ rel: 'self', href: self }] });
  }

  @Get()
  @Operation({
    scope: 'admin',
    confinement: 'filtered',
    summary: 'List API keys, newest first',
    description: 'Revoked and expired ones too: they stay for the audit log.',
    answers: { 200: { description: 'One page', schema: listOf(keyJson) } },
  })
  async listKeys(
    @Query({ schema: keyListQuery }) query: KeyListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<KeyJson>> {
    const before = positionOf('keys', query, isUuid);
    const { limit, offset } = query;
    const page = { limit, offset, ...(before === undefined ? {} : { before }) };
    const found = await listApiKeys(this.engine.db, runScopeOf(reply.request), page);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toKeyJson),
      nextCursor: last === undefined ? null : encodeCursor('keys', last.keyId),
    });
  }

  @Get(':key_id')
  @Operation({
    scope: 'admin',
    confinement: 'filtered',
    summary: 'Get an API key',
    answers: { 200: { description: 'The key, without its secret', schema: envelopeOf(keyJson) } },
    problems: ['NOT_FOUND'],
  })
  async getKey(
    @Param('key_id', KEY_ID) keyId: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<KeyJson>> {
    return success(reply, toKeyJson(await this.#find(reply.request, keyId)));
  }

  @Post(':key_id/rotate')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'admin',
    confinement: 'filtered',
    summary: 'Give an API key another secret',
    description:
      'The secret before goes on for a while, so that clients can change over; one before that does not.',
    answers: { 200: { description: 'The key with its new text', schema: envelopeOf(shownKeyJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async rotateKey(
    @Param('key_id', KEY_ID) keyId: string,
    @Body({ schema: rotateBody }) body: RotateBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ShownKeyJson>> {
    const before = await this.#find(reply.request, keyId);
    mustGrant(reply.request, before);
    const key = newText(keyId);
    const rotated = await rotateApiKey(this.engine.db, keyId, digestOf(key), body.grace_seconds);
    const data = this.#changed(reply, before, rotated, 'only an active key can be rotated');
    return success(reply, { ...data, key });
  }

  @Post(':key_id/expire')
  @HttpCode(200)
  @Operation({
    scope: 'admin',
    confinement: 'filtered',
    summary: 'Let an API key expire at another time',
    description: 'A time that is past ends it now, and another one brings it back; revoking is for good.',
    answers: { 200: { description: 'The key', schema: envelopeOf(keyJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async expireKey(
    @Param('key_id', KEY_ID) keyId: string,
    @Body({ schema: expireBody }) body: ExpireBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<KeyJson>> {
    const before = await this.#find(reply.request, keyId);
    mustGrant(reply.request, before);
    const expired = await expireApiKey(this.engine.db, keyId, body.expires_at);
    return success(reply, this.#changed(reply, before, expired, 'it opens nothing any more'));
  }

  @Post(':key_id/revoke')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'admin',
    confinement: 'filtered',
    summary: 'Revoke an API key',
    description: 'For good. Other processes of the API know it within three seconds.',
    answers: { 200: { description: 'The key', schema: envelopeOf(keyJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async revokeKey(
    @Param('key_id', KEY_ID) keyId: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<KeyJson>> {
    const before = await this.#find(reply.request, keyId);
    mustGrant(reply.request, before);
    const revoked = await revokeApiKey(this.engine.db, keyId, principalOf(reply.request).id);
    return success(reply, this.#changed(reply, before, revoked, 'it opens nothing any more'));
  }

  /** Another namespace's key is not there. */
  async #find(request: FastifyRequest, keyId: string): Promise<ApiKeyRecord> {
    const key = await getApiKey(this.engine.db, keyId);
    const { namespace } = runScopeOf(request);
    if (key === null || (namespace !== undefined && key.namespace !== namespace))
      throw notFound('key', keyId);
    return key;
  }

  #changed(reply: FastifyReply, before: ApiKeyRecord, after: ApiKeyRecord | null, why: string): KeyJson {
    if (after === null) {
      const status = before.revokedAt === null ? 'expired or revoked' : 'revoked';
      throw new HttpProblem('CONFLICT', `key ${before.keyId} is ${status}; ${why}`);
    }
    this.keys.forget(after.keyId);
    const data = toKeyJson(after);
    auditChange(reply.request, { before: toKeyJson(before), after: data });
    return data;
  }
}
