import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Engine } from '@spine/execution';
import {
  DefinitionVersions,
  drawWorkflowRun,
  RUN_PICTURES,
  visualizeAscii,
  visualizeDot,
  visualizeMermaid,
  visualizeSummary,
  visualizeSvg,
} from '@spine/orchestration';
import type { InspectServices, RunPicture } from '@spine/orchestration';
import { success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { once } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { findVersion, WorkflowNamePipe } from './definitions.find.ts';
import { versionQuery } from './definitions.schemas.ts';
import { found } from './workflow-problems.ts';

const IMAGES = [...RUN_PICTURES, 'svg'] as const;

const pictureQuery = z.strictObject({
  ...versionQuery.shape,
  format: once(z.enum([...IMAGES, 'summary']))
    .default('mermaid')
    .describe('svg answers an image of at most 200 steps, summary JSON, the others text.'),
});
type PictureQuery = z.infer<typeof pictureQuery>;

const runPictureQuery = z.strictObject({
  format: once(z.enum(IMAGES))
    .default('svg')
    .describe('svg answers an image of at most 200 steps, the others text.'),
});
type RunPictureQuery = z.infer<typeof runPictureQuery>;

const NAME = new WorkflowNamePipe();
const PLAIN = 'text/plain; charset=utf-8';
const DRAW = {
  mermaid: visualizeMermaid,
  ascii: visualizeAscii,
  dot: visualizeDot,
  svg: visualizeSvg,
} as const;

/** Pictures of workflows, as they are defined and as they run. */
@Controller('api/v1')
export class WorkflowPicturesController {
  readonly #services: InspectServices;

  constructor(@Inject(ENGINE) private readonly engine: Engine) {
    this.#services = { db: engine.db, definitions: new DefinitionVersions() };
  }

  @Get('workflows/:name/mermaid')
  @ApiTags('workflows')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Draw a workflow',
    description:
      'As Mermaid, ASCII or DOT text, or as an SVG image; format=summary answers its figures as JSON.',
    answers: { 200: { description: 'The drawing', mediaType: 'text/plain' } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async drawWorkflow(
    @Param('name', NAME) name: string,
    @Query({ schema: pictureQuery }) { format, version }: PictureQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | Envelope<unknown>> {
    const { input } = await findVersion(this.engine.db, name, version);
    if (format === 'summary') return success(reply, visualizeSummary(input));
    return typed(reply, format, await DRAW[format](input));
  }

  @Get('runs/:run_id/picture')
  @ApiTags('runs')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'Draw a workflow run, its steps coloured by where they are',
    description: 'With the steps that the run has added. As an SVG image, or as Mermaid, ASCII or DOT text.',
    answers: { 200: { description: 'The drawing', mediaType: 'image/svg+xml' } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async drawRun(
    @Param('run_id', new IdPipe('run')) runId: string,
    @Query({ schema: runPictureQuery }) { format }: RunPictureQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return typed(reply, format, found(await drawWorkflowRun(this.#services, runId, format), runId));
  }
}

/** An image that is opened by itself is a document: it may neither run nor load anything. */
function typed(reply: FastifyReply, format: RunPicture | 'svg', picture: string): string {
  if (format !== 'svg') void reply.type(PLAIN);
  else {
    void reply.type('image/svg+xml');
    void reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox");
  }
  return picture;
}
