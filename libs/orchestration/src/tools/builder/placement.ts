/** Where in the graph the next step of a builder comes. */
import { ValidationError } from '@spine/core';

export interface Place {
  /** Undefined for a first step, and for one that a choice leads to. */
  readonly dependsOn: readonly string[] | undefined;
  /** Every step that has settled before it starts, in the order in which they were added. */
  readonly earlier: readonly string[];
}

/** Shared by all branches of one workflow. */
interface Known {
  /** The steps before each. */
  readonly before: Map<string, ReadonlySet<string>>;
  linear: boolean;
}

export class Placement {
  readonly #known: Known;
  #tail: readonly string[];
  /** Set while the branch of a choice has no step yet: the choice leads to its first one. */
  #chosenBy: readonly string[] | null;
  #first: string | null = null;

  constructor(
    known: Known = { before: new Map(), linear: true },
    tail: readonly string[] = [],
    chosenBy: readonly string[] | null = null,
  ) {
    this.#known = known;
    this.#tail = tail;
    this.#chosenBy = chosenBy;
  }

  /** Whether the steps are one after the other, in the order in which they were added. */
  get linear(): boolean {
    return this.#known.linear;
  }

  /** Places a step after the last ones, or after `dependsOn`. */
  next(name: string, dependsOn: readonly string[] | undefined, branching?: 'branching'): Place {
    if (branching !== undefined || dependsOn !== undefined) this.#known.linear = false;
    const led = this.#chosenBy;
    this.#chosenBy = null;
    this.#first ??= name;
    const direct = dependsOn ?? (led === null ? this.#tail : []);
    const before = new Set<string>();
    for (const each of [...(led ?? []), ...direct]) {
      for (const earlier of this.#known.before.get(each) ?? []) before.add(earlier);
      before.add(each);
    }
    this.#known.before.set(name, before);
    this.#tail = [name];
    const added = [...this.#known.before.keys()];
    return {
      dependsOn: direct.length === 0 ? undefined : direct,
      earlier: added.filter((each) => before.has(each)),
    };
  }

  /** @throws ValidationError where branches begin before the branch of a choice has a step to be led to. */
  fork(): void {
    this.#known.linear = false;
    if (this.#chosenBy === null) return;
    const message = 'the branch of a choice begins with a step of its own, not with further branches';
    throw new ValidationError(message, { issues: [{ field: 'steps', code: 'bad_builder', message }] });
  }

  branch(chosen?: 'chosen'): Placement {
    return chosen === undefined
      ? new Placement(this.#known, this.#tail)
      : new Placement(this.#known, [], this.#tail);
  }

  /** Goes on after the ends of all branches, and after what came before them if it leads on by itself. */
  join(branches: readonly Placement[], itself = false): void {
    const ends = branches.flatMap((branch) => branch.#tail);
    this.#tail = [...new Set([...(itself ? this.#tail : []), ...ends])];
  }

  /** The step a choice leads to. @throws ValidationError for a branch without steps. */
  first(choice: string): string {
    if (this.#first !== null) return this.#first;
    const message = `choice ${choice}: a branch has no step`;
    throw new ValidationError(message, { issues: [{ field: choice, code: 'bad_builder', message }] });
  }
}
