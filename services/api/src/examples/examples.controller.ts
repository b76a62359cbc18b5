import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { readExampleSource } from '@spine/catalog';
import type { Example } from '@spine/catalog';
import { handlerKey } from '@spine/core';
import type { Engine } from '@spine/execution';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ConfinedSubmit } from '../runs/confined-submit.ts';
import { runAcceptedJson } from '../runs/run.schemas.ts';
import type { RunAcceptedJson } from '../runs/run.schemas.ts';
import { submitted } from '../runs/submit-outcome.ts';
import { ENGINE, EXAMPLE_LIST } from '../tokens.ts';
import {
  exampleJson,
  exampleListQuery,
  exampleRunBody,
  sourceJson,
  toExampleJson,
} from './example.schemas.ts';
import type { ExampleJson, ExampleListQuery, ExampleRunBody, SourceJson } from './example.schemas.ts';

@ApiTags('examples')
@Controller('api/v1/examples')
export class ExamplesController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(EXAMPLE_LIST) private readonly examples: readonly Example[],
  ) {}

  @Get()
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'List the examples, simplest first',
    answers: { 200: { description: 'One page', schema: listOf(exampleJson) } },
  })
  async listExamples(
    @Query({ schema: exampleListQuery }) query: ExampleListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<ExampleJson>> {
    const { level, tag, limit, offset } = query;
    const { handlers: live } = await this.engine.capacity.fresh();
    const found = this.examples.filter(
      (example) =>
        (level === undefined || level === example.level) && (tag === undefined || example.tags.includes(tag)),
    );
    return list(reply, query, {
      items: found
        .slice(offset, offset + limit)
        .map((example) => toExampleJson(example, live.has(handlerKey(example.run.kind, example.run.name)))),
      total: found.length,
      hasMore: offset + limit < found.length,
      nextCursor: null,
    });
  }

  @Get(':name/source')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Read the source of an example',
    answers: { 200: { description: 'Its text', schema: envelopeOf(sourceJson) } },
    problems: ['NOT_FOUND'],
  })
  async getExampleSource(
    @Param('name') name: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SourceJson>> {
    const { path, language, text } = await readExampleSource(this.#find(name));
    return success(reply, { name, path, language, source: text });
  }

  @Post('run')
  @Operation({
    scope: 'submit',
    confinement: 'filtered',
    summary: 'Run an example',
    description: 'Submits the run that the example names, as POST /runs would.',
    answers: {
      202: { description: 'Stored', schema: envelopeOf(runAcceptedJson) },
      200: {
        description: 'The idempotency key is known: the existing run',
        schema: envelopeOf(runAcceptedJson),
      },
    },
    problems: ['NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async runExample(
    @Body({ schema: exampleRunBody }) body: ExampleRunBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RunAcceptedJson>> {
    const { name, run } = this.#find(body.name);
    const spec = {
      kind: run.kind,
      name: run.name,
      params: { ...run.params, ...body.params },
      tags: ['example', name],
      ...(body.idempotency_key === undefined ? {} : { idempotencyKey: body.idempotency_key }),
    };
    const submit = new ConfinedSubmit(this.engine, reply.request, false);
    const result = submitted(spec, await submit.submit(spec));
    switch (result.type) {
      case 'accepted':
        return accepted(reply, result.run, `/api/v1/runs/${result.run.run_id}`, result.warnings);
      case 'existing':
        void reply.code(200);
        return success(reply, result.run, {
          links: [{ rel: 'self', href: `/api/v1/runs/${result.run.run_id}` }],
        });
      case 'refused':
        throw result.problem;
    }
  }

  #find(name: string): Example {
    const example = this.examples.find((each) => each.name === name);
    if (example === undefined) throw notFound('example', name);
    return example;
  }
}
