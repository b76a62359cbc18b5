/** The published workflows for searching in them: definitions never change, so that each is read once. */
import { definitionsOf, listWorkflows } from '@spine/database';
import type { Db, WorkflowName } from '@spine/database';
import { workflowFromJson, workflowJson } from '@spine/orchestration';
import type { CatalogEntry, WorkflowInput } from '@spine/orchestration';

/** Workflows that one search looks at, those whose names come first. */
export const SEARCHED = 5_000;
/** Definitions that are kept; those that were not asked for the longest make room. */
const KEPT = 10_000;
/** Definitions of one query. */
const AT_ONCE = 500;

export interface SearchedWorkflow extends CatalogEntry {
  readonly name: WorkflowName;
}

export interface Searched {
  readonly entries: readonly SearchedWorkflow[];
  /** There are more than were looked at. */
  readonly isCapped: boolean;
  /** Names whose definitions this release does not read. */
  readonly unread: readonly string[];
}

export class WorkflowCatalog {
  readonly #db: Db;
  /** By `name@version`; null for one that this release does not read. */
  readonly #known = new Map<string, WorkflowInput | null>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** Those that take new runs, or those that were archived. */
  async workflows(archived: boolean): Promise<Searched> {
    const names = await listWorkflows(this.#db, { after: '', limit: SEARCHED + 1, archived });
    const looked = names.slice(0, SEARCHED);
    await this.#load(looked);
    const entries: SearchedWorkflow[] = [];
    const unread: string[] = [];
    for (const name of looked) {
      const workflow = this.#known.get(keyOf(name.name, name.currentVersion)) ?? null;
      if (workflow === null) unread.push(name.name);
      else entries.push({ name, workflow, version: name.currentVersion });
    }
    return { entries, isCapped: names.length > SEARCHED, unread };
  }

  async #load(names: readonly WorkflowName[]): Promise<void> {
    const missing: { name: string; version: number }[] = [];
    for (const { name, currentVersion: version } of names) {
      const key = keyOf(name, version);
      const known = this.#known.get(key);
      if (known === undefined) missing.push({ name, version });
      else {
        this.#known.delete(key);
        this.#known.set(key, known);
      }
    }
    for (let from = 0; from < missing.length; from += AT_ONCE) {
      for (const found of await definitionsOf(this.#db, missing.slice(from, from + AT_ONCE))) {
        const parsed = workflowJson.safeParse(found.definition);
        this.#known.set(
          keyOf(found.name, found.version),
          parsed.success ? workflowFromJson(parsed.data) : null,
        );
      }
    }
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT) break;
      this.#known.delete(oldest);
    }
  }
}

function keyOf(name: string, version: number): string {
  return `${name}@${version}`;
}
