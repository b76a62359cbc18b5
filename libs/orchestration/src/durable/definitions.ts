/** Definitions by version, read once: a version never changes. */
import { ConfigError } from '@spine/core';
import { getWorkflowVersion } from '@spine/database';
import type { Db, DbTransaction } from '@spine/database';
import { defineWorkflowFromJson } from '../workflow/define.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';

/** Versions that are kept; those that were not asked for the longest make room. */
const KEPT = 500;

export class DefinitionVersions {
  readonly #known = new Map<string, WorkflowDefinition>();

  /** @throws ConfigError for a version that does not exist, ValidationError for one that this release refuses. */
  async get(db: Db | DbTransaction, name: string, version: number): Promise<WorkflowDefinition> {
    const key = `${name}@${version}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    const stored = await getWorkflowVersion(db, name, version);
    if (stored === null) throw new ConfigError(`workflow ${name} has no version ${version}`);
    const definition = defineWorkflowFromJson(stored.definition);
    this.#known.set(key, definition);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
    return definition;
  }
}
