/**
 * A playground session as it is kept, and as it is gone on with.
 *
 * 1. Its moves over its definition and params lead to the moment whose hash was kept with them, or it is not opened. 2. Going
 * through them again calls no handler. 3. What is kept is bounded.
 */
import { z } from 'zod';
import { ConflictError, ErrorCategory, ValidationError } from '@spine/core';
import type { JsonObject, ValidationIssue } from '@spine/core';
import type { PlaygroundMode, PlaygroundProgress, PlaygroundSession } from '@spine/database';
import { defineWorkflowFromJson } from '../../workflow/define.ts';
import { workflowToJson } from '../../workflow/json-map.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { recordedObjectJson } from '../record/recorded-result.ts';
import { answerOf, playgroundAnswersFromJson } from './answers.ts';
import type { GivenAnswers, PlaygroundAnswers } from './answers.ts';
import type { PlaygroundOptions } from './execute.ts';
import type { PlaygroundHandlers } from './live.ts';
import { isStepForth, playgroundMovesFromJson } from './moves.ts';
import { WorkflowPlayground } from './playground.ts';

export const PLAYGROUND_LIMITS = {
  /** Sessions of one caller, and of all. */
  perCaller: 100,
  total: 500,
  /** Of a workflow. */
  steps: 500,
  /** Of a session: steps forth, params set, decisions, signals. */
  moves: 1_000,
  /** Characters of definition, params and answers; of the moves. */
  setupCharacters: 1_048_576,
  movesCharacters: 2_097_152,
  /** How long a session is kept without a move. */
  ttlSeconds: { min: 60, default: 86_400, max: 604_800 },
} as const;

/** What a session is made of; nothing of it changes. */
export interface PlaygroundSetup {
  readonly definition: WorkflowDefinition;
  readonly params: JsonObject;
  readonly environment: string;
}

/** A session that is gone on with. */
export interface OpenPlayground {
  readonly setup: PlaygroundSetup;
  readonly mode: PlaygroundMode;
  readonly answers: PlaygroundAnswers;
  readonly playground: WorkflowPlayground;
}

const setupJson = z.strictObject({
  definition: z.unknown(),
  params: recordedObjectJson,
  environment: z.string(),
});

export function setupToJson({ definition, params, environment }: PlaygroundSetup): string {
  const { hash: _, ...input } = definition;
  return JSON.stringify({ definition: workflowToJson(input), params, environment });
}

/** @throws ValidationError for what is none, also for a definition that this release refuses. */
function setupFromJson(json: unknown): PlaygroundSetup {
  const { definition, params, environment } = setupJson.parse(json);
  return { definition: defineWorkflowFromJson(definition), params, environment };
}

/** At the beginning. */
export function newPlayground(
  setup: PlaygroundSetup,
  mode: PlaygroundMode,
  answers: PlaygroundAnswers,
  handlers: PlaygroundHandlers,
): OpenPlayground {
  const playground = new WorkflowPlayground(optionsOf(setup, mode, answers, handlers));
  playground.load(setup.definition, setup.params);
  return { setup, mode, answers, playground };
}

export interface Opening {
  /** At the beginning, whatever its moves are. */
  readonly fresh?: boolean;
  /** Answers for what is called from now on; those it has for the same units are replaced. */
  readonly given?: GivenAnswers | undefined;
}

/**
 * Where it was left.
 * @throws ConflictError where its moves no longer lead to where they did, ValidationError for what this release refuses.
 */
export function openPlayground(
  session: PlaygroundSession,
  handlers: PlaygroundHandlers,
  { fresh = false, given = {} }: Opening = {},
): OpenPlayground {
  const setup = setupFromJson(session.setup);
  const kept = playgroundAnswersFromJson(session.answers);
  const answers = { ...kept, given: { ...kept.given, ...given } };
  const open = newPlayground(setup, session.mode, answers, handlers);
  if (fresh) return open;
  open.playground.restore(setup.definition, setup.params, playgroundMovesFromJson(session.moves));
  if (open.playground.hash === session.stateHash) return open;
  throw new ConflictError('its moves no longer lead to where they did');
}

/** Whether a step more may be taken: room for its move, and within what the caller allows. */
export function mayGoOn(
  { playground }: OpenPlayground,
  { atMost, until }: { readonly atMost: number; readonly until: Date },
): (taken: number) => boolean {
  const room = PLAYGROUND_LIMITS.moves - playground.moves.length;
  return (taken) => taken < Math.min(atMost, room) && Date.now() < until.getTime();
}

/** What is kept of it. */
export function progressOf({ answers, playground }: OpenPlayground): PlaygroundProgress {
  const { moves, hash, status } = playground;
  return {
    answers: JSON.stringify(answers),
    moves: JSON.stringify(moves),
    stateHash: hash,
    status,
    stepCount: moves.filter(isStepForth).length,
  };
}

/** What is larger than a session may be; null for nothing. */
export function tooLarge(
  setup: string,
  { answers, moves }: Pick<PlaygroundProgress, 'answers' | 'moves'>,
): string | null {
  const { setupCharacters, movesCharacters } = PLAYGROUND_LIMITS;
  const made = setup.length + answers.length;
  if (made > setupCharacters)
    return `definition, params and answers have ${made} characters together; at most ${setupCharacters} are kept`;
  if (moves.length > movesCharacters)
    return `what was done has ${moves.length} characters; at most ${movesCharacters} are kept`;
  return null;
}

/** @throws ValidationError for a workflow with more steps than a session may have. */
export function checkSteps({ steps }: WorkflowDefinition): void {
  if (steps.length <= PLAYGROUND_LIMITS.steps) return;
  const message = `has ${steps.length} steps; a playground takes at most ${PLAYGROUND_LIMITS.steps}`;
  throw refused([{ field: 'definition.steps', code: 'too_many', message }]);
}

export function refused(issues: readonly ValidationIssue[]): ValidationError {
  return new ValidationError(issues.map(({ field, message }) => `${field}: ${message}`).join('; '), {
    issues,
  });
}

function optionsOf(
  { environment }: PlaygroundSetup,
  mode: PlaygroundMode,
  answers: PlaygroundAnswers,
  handlers: PlaygroundHandlers,
): PlaygroundOptions {
  return {
    environment,
    executor: handlers,
    answer: (work) => {
      const said = answerOf(answers, work);
      if (said !== undefined) return said;
      if (mode !== 'live') return StepResult.ok();
      return work.type === 'start_child' ? NO_CHILD : undefined;
    },
  };
}

const NO_CHILD = StepResult.fail('a sub-workflow is not run in a session; give an answer for its step', {
  category: ErrorCategory.ORCHESTRATION,
  type: 'NotSafeForPlayground',
});
