/** Workflows by pattern: a template makes one of checked params. */
import { z } from 'zod';
import { NotFoundError, ValidationError } from '@spine/core';
import { defineWorkflow } from '../../workflow/define.ts';
import type { DefinitionLookups } from '../../workflow/define.ts';
import type { WorkflowDefinition, WorkflowInput } from '../../workflow/model.ts';
import { pathIssues } from '../yaml/zod-issues.ts';
import { BUILT_IN_TEMPLATES } from './built-in.ts';

export interface WorkflowTemplate<P = unknown> {
  /** Letters, digits, `_`, `.` or `-`. */
  readonly name: string;
  readonly description: string;
  /** Params in snake_case, as they come from outside. */
  readonly params: z.ZodType<P>;
  /** Pure. */
  make(params: P): WorkflowInput;
}

export interface TemplateInfo {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the params. */
  readonly params: Readonly<Record<string, unknown>>;
}

interface Entry {
  readonly info: TemplateInfo;
  make(params: unknown): WorkflowInput;
}

const NAME = /^[a-z][a-z0-9_.-]{0,99}$/;

export class TemplateRegistry {
  readonly #entries = new Map<string, Entry>();

  /** With the built-in templates: etl, fan_out_fan_in, conditional_branch, retry_wrapper, scheduled_batch. */
  static withBuiltIns(): TemplateRegistry {
    const registry = new TemplateRegistry();
    for (const register of BUILT_IN_TEMPLATES) register(registry);
    return registry;
  }

  /** @throws ValidationError for a name that is taken or out of form. */
  register<P>(template: WorkflowTemplate<P>): this {
    const { name, description, params } = template;
    if (!NAME.test(name)) throw refused('name', `${JSON.stringify(name)} must match ${NAME.source}`);
    if (this.#entries.has(name)) throw refused('name', `${name} is registered already`);
    this.#entries.set(name, {
      info: { name, description, params: z.toJSONSchema(params, { io: 'input' }) },
      make: (given) => {
        const parsed = params.safeParse(given);
        if (parsed.success) return template.make(parsed.data);
        const issues = pathIssues(parsed.error.issues).map(({ path, code, message }) => ({
          field: ['params', ...path].join('.'),
          code,
          message,
        }));
        const [first] = issues;
        throw new ValidationError(
          `template ${name}: ${first?.field ?? 'params'}: ${first?.message ?? 'is wrong'}`,
          {
            issues,
          },
        );
      },
    });
    return this;
  }

  /** By name. */
  list(): readonly TemplateInfo[] {
    return [...this.#entries.values()].map(({ info }) => info).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The workflow that a template makes.
   *
   * @throws NotFoundError for an unknown template; ValidationError for wrong params, and for a workflow that is wrong, as
   * `defineWorkflow` does.
   */
  instantiate(name: string, params: unknown, lookups: DefinitionLookups = {}): WorkflowDefinition {
    const entry = this.#entries.get(name);
    if (entry === undefined)
      throw new NotFoundError(
        `there is no template ${name}; there are ${[...this.#entries.keys()].sort().join(', ')}`,
      );
    return defineWorkflow(entry.make(params), lookups);
  }
}

function refused(field: string, message: string): ValidationError {
  return new ValidationError(`template ${field}: ${message}`, {
    issues: [{ field, code: 'bad_template', message }],
  });
}
