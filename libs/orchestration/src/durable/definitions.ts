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

  /** One that was read before; null for others. */
  known(name: string, version: number): WorkflowDefinition | null {
    const key = keyOf(name, version);
    const known = this.#known.get(key);
    if (known === undefined) return null;
    this.#known.delete(key);
    this.#known.set(key, known);
    return known;
  }

  /** @throws ConfigError for a version that does not exist, ValidationError for one that this release refuses. */
  async get(db: Db | DbTransaction, name: string, version: number): Promise<WorkflowDefinition> {
    const definition = await this.find(db, name, version);
    if (definition === null) throw new ConfigError(`workflow ${name} has no version ${version}`);
    return definition;
  }

  /** Null for a version that does not exist. @throws ValidationError for one that this release refuses. */
  async find(db: Db | DbTransaction, name: string, version: number): Promise<WorkflowDefinition | null> {
    const known = this.known(name, version);
    if (known !== null) return known;
    const stored = await getWorkflowVersion(db, name, version);
    if (stored === null) return null;
    const definition = defineWorkflowFromJson(stored.definition);
    this.#known.set(keyOf(name, version), definition);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
    return definition;
  }
}

function keyOf(name: string, version: number): string {
  return `${name}@${version}`;
}
