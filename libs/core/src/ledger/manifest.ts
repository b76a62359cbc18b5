/** The stages of a partition's way through a domain. Which stage comes before which is decided here and nowhere else. */
import { ConfigError, ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';

/** What the name of a stage must match. */
export const STAGE_NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** A stage that a partition has reached, as far as its order matters. */
export interface ReachedStage {
  readonly stage: string;
  /** As it was when the row was written. */
  readonly stageRank: number;
}

/** The stages of a domain, lowest first. Made by {@link defineStages}. */
export interface Stages<S extends string = string> {
  readonly names: readonly S[];
  /** From 0. @throws ValidationError for a name that is no stage of the domain. */
  rankOf(stage: string): number;
  /** The stage of that name. @throws ValidationError naming those there are. */
  parse(stage: string): S;
}

/**
 * Declares the stages of a domain in their order: the first has rank 0.
 *
 * @throws ConfigError for no stage, a name out of form, or a name that stands twice.
 */
export function defineStages<const S extends string>(names: readonly S[]): Stages<S> {
  if (names.length === 0) throw new ConfigError('a domain has at least one stage');
  for (const [index, name] of names.entries()) {
    if (!STAGE_NAME.test(name)) {
      throw new ConfigError(
        `stage ${JSON.stringify(truncateText(name, 100))} must match ${STAGE_NAME.source}`,
      );
    }
    if (names.indexOf(name) !== index) throw new ConfigError(`stage ${name} is declared twice`);
  }
  const find = (stage: string): number => {
    const rank = names.findIndex((name) => name === stage);
    if (rank >= 0) return rank;
    const message = `${JSON.stringify(truncateText(stage, 100))} is not a stage; allowed are ${names.join(', ')}`;
    throw new ValidationError(`stage: ${message}`, {
      issues: [{ field: 'stage', code: 'unknown_stage', message }],
    });
  };
  return {
    names: [...names],
    rankOf: find,
    parse: (stage) => {
      find(stage);
      return stage as S;
    },
  };
}

/** The rank of a reached stage: today's where the domain still knows the stage, else the one it was written with. */
function rankToday(stages: Stages, { stage, stageRank }: ReachedStage): number {
  const rank = stages.names.indexOf(stage);
  return rank >= 0 ? rank : stageRank;
}

/** The furthest stage reached, or null for none. */
export function latestStage<R extends ReachedStage>(stages: Stages, reached: readonly R[]): R | null {
  let latest: R | null = null;
  for (const row of reached) {
    if (latest === null || rankToday(stages, row) > rankToday(stages, latest)) latest = row;
  }
  return latest;
}

/**
 * Whether a partition has reached `stage` or a later one.
 * @throws ValidationError for a stage the domain does not have.
 */
export function isAtLeastStage(stages: Stages, reached: readonly ReachedStage[], stage: string): boolean {
  const wanted = stages.rankOf(stage);
  return reached.some((row) => rankToday(stages, row) >= wanted);
}
