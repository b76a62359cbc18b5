/**
 * Playground sessions in Postgres: any process goes on with any of them, and a restart loses none.
 *
 * 1. A session is rebuilt for every request from what is kept; nothing of it lives in a process. 2. A change is written at the
 * revision it was made of; of two at once one is written, and the other is told. 3. A change that is refused, or throws,
 * writes nothing; nor does one that changes nothing.
 */
import { ConflictError, ValidationError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { createPlaygroundSession, getPlaygroundSession, savePlaygroundSession } from '@spine/database';
import type {
  Db,
  PlaygroundCreation,
  PlaygroundMode,
  PlaygroundSession,
  PlaygroundSummary,
} from '@spine/database';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import type { WorkflowRecording } from '../record/recording.ts';
import { findAnswerIssues, recordedAnswers } from './answers.ts';
import type { GivenAnswers, PlaygroundAnswers } from './answers.ts';
import type { PlaygroundHandlers } from './live.ts';
import {
  checkSteps,
  newPlayground,
  openPlayground,
  PLAYGROUND_LIMITS,
  progressOf,
  refused,
  setupToJson,
  tooLarge,
} from './session.ts';
import type { OpenPlayground, Opening } from './session.ts';

export interface NewSession {
  readonly by: string;
  readonly definition: WorkflowDefinition;
  /** Null for a definition that is nobody's version. */
  readonly version: number | null;
  readonly mode: PlaygroundMode;
  readonly params: JsonObject;
  readonly environment: string;
  readonly given: GivenAnswers;
  /** Of mode `recorded`: whose answers are given. */
  readonly source: { readonly runId: string; readonly recording: WorkflowRecording } | null;
  readonly ttlSeconds: number;
}

export interface Session extends OpenPlayground {
  readonly summary: PlaygroundSummary;
}

export type SessionCreation =
  | { readonly type: 'created'; readonly session: Session }
  | Extract<PlaygroundCreation, { type: 'over_quota' }>
  | { readonly type: 'too_large'; readonly message: string };

export type SessionOpening =
  | { readonly type: 'opened'; readonly session: Session }
  | { readonly type: 'not_found' }
  /** It was left by another release, whose planner came to something else. It can be reset or deleted. */
  | { readonly type: 'outdated' };

/** What a change says of itself: its value, or why it cannot be made. */
export type Change<T> =
  { readonly type: 'made'; readonly value: T } | { readonly type: 'refused'; readonly reason: string };

export type SessionChange<T> =
  | { readonly type: 'changed'; readonly session: Session; readonly value: T }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'too_large'; readonly message: string }
  /** Another has changed it meanwhile, or since the revision the caller knows. */
  | { readonly type: 'stale'; readonly revision: number }
  | Exclude<SessionOpening, { type: 'opened' }>;

export interface ChangeOptions extends Opening {
  /** The revision the caller knows. Default: whichever it is. */
  readonly revision?: number | undefined;
}

export class PlaygroundSessions {
  readonly #db: Db;
  readonly #handlers: PlaygroundHandlers;

  constructor(db: Db, handlers: PlaygroundHandlers) {
    this.#db = db;
    this.#handlers = handlers;
  }

  /**
   * Where there is room.
   * @throws ValidationError for a workflow of too many steps, answers to what it does not ask, and, in mode `live`, handlers
   *   that may not be called and have no answer.
   */
  async create(given: NewSession): Promise<SessionCreation> {
    const { definition, params, environment, mode, source, by } = given;
    const setup = { definition, params, environment };
    checkSteps(definition);
    const recorded = source === null ? null : recordedAnswers(source.recording, definition);
    const answers: PlaygroundAnswers = { given: given.given, recorded };
    this.#check(definition, mode, answers);
    const open = newPlayground(setup, mode, answers, this.#handlers);
    const text = setupToJson(setup);
    const progress = progressOf(open);
    const message = tooLarge(text, progress);
    if (message !== null) return { type: 'too_large', message };
    const created = await createPlaygroundSession(
      this.#db,
      {
        ...progress,
        createdBy: by,
        workflowName: definition.name,
        workflowVersion: given.version,
        mode,
        sourceRunId: source?.runId ?? null,
        setup: text,
        ttlSeconds: given.ttlSeconds,
      },
      PLAYGROUND_LIMITS,
    );
    return created.type === 'created'
      ? { type: 'created', session: { ...open, summary: created.session } }
      : created;
  }

  async open(sessionId: string): Promise<SessionOpening> {
    const row = await getPlaygroundSession(this.#db, sessionId);
    return row === null ? { type: 'not_found' } : this.#rebuild(row, {});
  }

  /**
   * Goes on with a session, and keeps what has come of it.
   * @throws ValidationError as {@link create} does for answers, and what `change` throws.
   */
  async change<T>(
    sessionId: string,
    { revision, ...opening }: ChangeOptions,
    change: (session: Session) => Promise<Change<T>> | Change<T>,
  ): Promise<SessionChange<T>> {
    const row = await getPlaygroundSession(this.#db, sessionId);
    if (row === null) return { type: 'not_found' };
    if (revision !== undefined && revision !== row.revision) return { type: 'stale', revision: row.revision };
    const opened = this.#rebuild(row, opening);
    if (opened.type !== 'opened') return opened;
    const { session } = opened;
    if (opening.given !== undefined) this.#check(session.setup.definition, session.mode, session.answers);
    const made = await change(session);
    if (made.type === 'refused') return made;
    const { moves } = PLAYGROUND_LIMITS;
    if (session.playground.moves.length > moves) return { type: 'refused', reason: noRoomLeft() };
    const progress = progressOf(session);
    const message = tooLarge(JSON.stringify(row.setup), progress);
    if (message !== null) return { type: 'too_large', message };
    const isSame =
      progress.moves === JSON.stringify(row.moves) && progress.answers === JSON.stringify(row.answers);
    if (isSame && progress.stateHash === row.stateHash)
      return { type: 'changed', session, value: made.value };
    const saved = await savePlaygroundSession(this.#db, sessionId, row.revision, progress);
    if (saved.type !== 'saved') return saved;
    return { type: 'changed', session: { ...session, summary: saved.session }, value: made.value };
  }

  #rebuild(row: PlaygroundSession, opening: Opening): Exclude<SessionOpening, { type: 'not_found' }> {
    try {
      const open = openPlayground(row, this.#handlers, opening);
      return { type: 'opened', session: { ...open, summary: row } };
    } catch (error) {
      // What was kept was right when it was kept.
      if (error instanceof ConflictError || error instanceof ValidationError) return { type: 'outdated' };
      throw error;
    }
  }

  #check(definition: WorkflowDefinition, mode: PlaygroundMode, answers: PlaygroundAnswers): void {
    const issues = [
      ...findAnswerIssues(answers, definition),
      ...(mode === 'live' ? this.#handlers.findUnsafe(definition, answers) : []),
    ];
    if (issues.length > 0) throw refused(issues);
  }
}

/** Why nothing more can be done in a session. */
export function noRoomLeft(): string {
  return `the session has ${PLAYGROUND_LIMITS.moves} moves, which is as many as are kept; go back or reset it`;
}
