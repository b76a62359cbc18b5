import { Body, Controller, Headers, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { assertNever } from '@spine/core';
import { mayGoOn, noRoomLeft } from '@spine/orchestration';
import type { Change, PlaygroundSessions, PlaygroundSnapshot, Session } from '@spine/orchestration';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { versionOf } from '../http/if-match.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import type { OperationOptions } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { PLAYGROUND } from '../tokens.ts';
import { signalBody } from '../workflows/workflow-run.schemas.ts';
import type { SignalBody } from '../workflows/workflow-run.schemas.ts';
import { changedOf, tagged } from './outcomes.ts';
import {
  sessionJson,
  steppedJson,
  STOPS,
  toGivenAnswers,
  toSessionJson,
  toSnapshotJson,
} from './playground.json.ts';
import type { SessionJson, SteppedJson } from './playground.json.ts';
import { decideBody, paramsBody, runAllBody, runToBody, stepBody } from './playground.schemas.ts';
import type {
  AnswersJson,
  DecideBody,
  ParamsBody,
  RunAllBody,
  RunToBody,
  StepBody,
} from './playground.schemas.ts';
import { SESSION_ID } from './sessions.controller.ts';

/** Of one request: what is not done by then is left for the next one. */
const REQUEST_MS = 20_000;

const COMMON = {
  scope: 'submit',
  problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
} as const satisfies Partial<OperationOptions>;
const SESSION = { 200: { description: 'The session', schema: envelopeOf(sessionJson) } } as const;
const STEPPED = { 200: { description: 'What was done', schema: envelopeOf(steppedJson) } } as const;

/** Where a call is to stop of its own accord. */
interface Goal {
  /** Once it has settled. */
  readonly step: string | null;
  /** After so many steps forth; null for any number. */
  readonly steps: number | null;
}

const ONE_STEP: Goal = { step: null, steps: 1 };
const TO_THE_END: Goal = { step: null, steps: null };

interface Going {
  readonly steps: readonly PlaygroundSnapshot[];
  readonly stopped: (typeof STOPS)[number];
}

/** With If-Match a change is made of that revision or not at all, so that a request sent twice counts once. */
@ApiTags('playground')
@Controller('api/v1/playground/sessions/:session_id')
export class PlaygroundMovesController {
  constructor(@Inject(PLAYGROUND) private readonly sessions: PlaygroundSessions) {}

  @Post('step')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    ...COMMON,
    summary: 'Go one step forth',
    description: 'One piece of work is answered, or time passes until the next timer.',
    answers: STEPPED,
  })
  stepPlayground(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: stepBody }) { answers }: StepBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SteppedJson>> {
    return this.#goOn(id, ifMatch, { answers, max_steps: 1 }, ONE_STEP, reply);
  }

  @Post('run-to')
  @HttpCode(200)
  @Operation({ ...COMMON, summary: 'Go forth until a step has settled', answers: STEPPED })
  runPlaygroundTo(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: runToBody }) { step, ...body }: RunToBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SteppedJson>> {
    return this.#goOn(id, ifMatch, body, { step, steps: null }, reply);
  }

  @Post('run-all')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    ...COMMON,
    summary: 'Go forth until the run has ended, or waits for a decision or a signal',
    answers: STEPPED,
  })
  runPlaygroundAll(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: runAllBody }) body: RunAllBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SteppedJson>> {
    return this.#goOn(id, ifMatch, body, TO_THE_END, reply);
  }

  @Post('step-back')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    ...COMMON,
    summary: 'Go one step back',
    description:
      'To before the last step forth, and what was told after it; params stay. What a handler has done to the world stays done.',
    answers: SESSION,
  })
  stepPlaygroundBack(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    return this.#tell(id, ifMatch, reply, ({ playground }) =>
      playground.stepBack() ? null : 'the session is at its beginning',
    );
  }

  @Post('reset')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    ...COMMON,
    summary: 'Go back to the beginning',
    description: 'With the params it was made with. Answers stay.',
    answers: SESSION,
  })
  resetPlayground(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    return this.#tell(id, ifMatch, reply, () => null, true);
  }

  @Put('params')
  @Operation({ ...COMMON, summary: 'Set params for all that has not begun', answers: SESSION })
  setPlaygroundParams(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: paramsBody }) { params }: ParamsBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    return this.#tell(id, ifMatch, reply, ({ playground }) => {
      playground.setParams(params);
      return null;
    });
  }

  @Post('decide')
  @HttpCode(200)
  @Operation({ ...COMMON, summary: 'Answer an approval that the run waits for', answers: SESSION })
  decidePlayground(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: decideBody }) { step, approved, by, comment }: DecideBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    return this.#tell(id, ifMatch, reply, ({ playground }) => playground.decide(step, approved, by, comment));
  }

  @Post('signal')
  @HttpCode(200)
  @Operation({ ...COMMON, summary: 'Send a signal to the run', answers: SESSION })
  signalPlayground(
    @Param('session_id', SESSION_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: signalBody }) { name, data }: SignalBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    return this.#tell(id, ifMatch, reply, ({ playground }) => playground.signal(name, data));
  }

  /** @param tell says why it cannot be done; null when it was. */
  async #tell(
    id: string,
    ifMatch: string | undefined,
    reply: FastifyReply,
    tell: (session: Session) => string | null,
    fresh = false,
  ): Promise<Envelope<SessionJson>> {
    const options = { revision: versionOf(ifMatch), fresh };
    const changed = await this.sessions.change(id, options, (session): Change<null> => {
      const reason = tell(session);
      return reason === null ? { type: 'made', value: null } : { type: 'refused', reason };
    });
    const { session } = changedOf(changed, id);
    tagged(reply, session);
    return success(reply, toSessionJson(session));
  }

  async #goOn(
    id: string,
    ifMatch: string | undefined,
    body: { readonly max_steps: number; readonly answers?: AnswersJson | undefined },
    goal: Goal,
    reply: FastifyReply,
  ): Promise<Envelope<SteppedJson>> {
    const given = body.answers === undefined ? undefined : toGivenAnswers(body.answers);
    const until = new Date(Date.now() + REQUEST_MS);
    const changed = await this.sessions.change(id, { revision: versionOf(ifMatch), given }, (session) =>
      goOn(session, { atMost: body.max_steps, until }, goal),
    );
    const { session, value } = changedOf(changed, id);
    tagged(reply, session);
    const { steps, stopped } = value;
    return success(reply, { session: toSessionJson(session), steps: steps.map(toSnapshotJson), stopped });
  }
}

async function goOn(
  session: Session,
  limits: { readonly atMost: number; readonly until: Date },
  goal: Goal,
): Promise<Change<Going>> {
  const { playground } = session;
  const may = mayGoOn(session, limits);
  if (!may(0)) return { type: 'refused', reason: noRoomLeft() };
  const steps = await (goal.step === null ? playground.runAll(may) : playground.runTo(goal.step, may));
  return { type: 'made', value: { steps, stopped: stoppedAt(session, steps.length, goal) } };
}

function stoppedAt({ playground }: Session, taken: number, { step, steps }: Goal): Going['stopped'] {
  if (step === null ? taken === steps : playground.hasSettled(step)) return 'done';
  const { type } = playground.peek();
  switch (type) {
    case 'ended':
    case 'waiting':
      return type;
    case 'work':
    case 'timer':
      return 'limit';
    default:
      return assertNever(type);
  }
}
