import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { assertNever, isTerminal, isUuid } from '@spine/core';
import { listWorkflowRuns } from '@spine/database';
import type { RunRecord } from '@spine/database';
import { runJson, toRunJson } from '@spine/execution';
import type { Engine, RunJson } from '@spine/execution';
import { startWorkflow } from '@spine/orchestration';
import type { StartOutcome } from '@spine/orchestration';
import { runScopeOf } from '../auth/run-scope.ts';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ConfinedSubmit } from '../runs/confined-submit.ts';
import { submitted } from '../runs/submit-outcome.ts';
import { ENGINE } from '../tokens.ts';
import { findWorkflow, WorkflowNamePipe } from './definitions.find.ts';
import {
  START_EXAMPLES,
  startBody,
  startOf,
  workflowRunFilter,
  workflowRunListQuery,
} from './start.schemas.ts';
import type { StartBody, WorkflowRunListQuery } from './start.schemas.ts';

const NAME = new WorkflowNamePipe();
/** Params and result of one answer together; larger ones are told of and left out. */
const SHOWN_BYTES = 32 * 1024 * 1024;

@ApiTags('workflows')
@Controller('api/v1/workflows')
export class WorkflowStartController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post(':name/run')
  @ApiBody({ required: false, examples: START_EXAMPLES })
  @Operation({
    scope: 'submit',
    confinement: 'filtered',
    summary: 'Start a run of a workflow',
    description:
      'How many runs go on at a time and that a partition is done once holds for every run of the workflow, however it is started. A run that is skipped completes with the result {"status": "skipped", "reason", "run_id"}.',
    answers: {
      202: { description: 'Stored', schema: envelopeOf(runJson) },
      200: {
        description: 'It has ended within wait_seconds, or the idempotency key is known: the existing run',
        schema: envelopeOf(runJson),
      },
    },
    problems: ['NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async runWorkflow(
    @Param('name', NAME) name: string,
    @Body({ schema: startBody }) body: StartBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RunJson>> {
    const dispatcher = new ConfinedSubmit(this.engine, reply.request, false);
    const started = startedOf(
      name,
      await startWorkflow({ ...this.engine, dispatcher }, name, startOf(name, body)),
    );
    const run = await this.#runAfter(started.runId, body.wait_seconds);
    const href = `/api/v1/runs/${started.runId}`;
    if (started.isNew && !isTerminal(run.status)) {
      return accepted(reply, toRunJson(run), href, started.warnings);
    }
    void reply.code(200);
    return success(reply, toRunJson(run), {
      warnings: started.warnings,
      links: [{ rel: 'self', href }],
    });
  }

  @Get(':name/runs')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'List the runs of a workflow, newest first',
    answers: { 200: { description: 'One page', schema: listOf(runJson) } },
    problems: ['NOT_FOUND'],
  })
  async listWorkflowRuns(
    @Param('name', NAME) name: string,
    @Query({ schema: workflowRunListQuery }) query: WorkflowRunListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<RunJson>> {
    const { limit, offset } = query;
    const before = positionOf('workflow_runs', query, isUuid);
    const filter = { ...workflowRunFilter(query), ...runScopeOf(reply.request) };
    await findWorkflow(this.engine.db, name);
    const found = await listWorkflowRuns(this.engine.db, name, filter, {
      limit,
      offset,
      ...(before === undefined ? {} : { beforeRunId: before }),
    });
    const last = found.runs.at(-1);
    return list(reply, query, {
      ...found,
      items: found.runs.map(toRunJson),
      nextCursor: last === undefined ? null : encodeCursor('workflow_runs', last.runId),
    });
  }

  async #runAfter(runId: string, waitSeconds: number): Promise<RunRecord> {
    const { dispatcher, payloads } = this.engine;
    if (waitSeconds > 0) await dispatcher.wait(runId, { timeoutMs: waitSeconds * 1_000 });
    const run = await dispatcher.get(runId);
    if (run === null) throw notFound('run', runId);
    return payloads.show(run, SHOWN_BYTES);
  }
}

interface Started {
  readonly runId: string;
  readonly isNew: boolean;
  readonly warnings: readonly string[];
}

/** @throws HttpProblem for whatever has stored no run. */
function startedOf(name: string, start: StartOutcome): Started {
  switch (start.type) {
    case 'unknown_workflow':
      throw notFound('workflow', name);
    case 'unknown_version':
      throw notFound('version', `${name}@${start.version}`);
    case 'archived':
      throw new HttpProblem(
        'CONFLICT',
        `workflow ${name} was archived at ${start.at.toISOString()}: no new runs of it begin`,
      );
    case 'submitted': {
      const result = submitted(start.spec, start.outcome);
      if (result.type === 'refused') throw result.problem;
      const warnings = result.type === 'accepted' ? result.warnings : [];
      return { runId: result.run.run_id, isNew: result.type === 'accepted', warnings };
    }
    default:
      return assertNever(start);
  }
}
