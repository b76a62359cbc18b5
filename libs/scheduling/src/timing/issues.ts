import { ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';

/** Refuses one field of a schedule or a trigger. `message` says what was given and what is allowed. */
export function refuse(field: string, code: string, message: string): never {
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code, message }] });
}

/** Gathers what several checks object to, so that a client hears of all of it at once. */
export class Issues {
  readonly #found: ValidationIssue[] = [];

  /** What `check` answers; undefined when it objects. @throws what names no field: that is no objection. */
  of<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof ValidationError) || error.issues.length === 0) throw error;
      this.#found.push(...error.issues);
      return undefined;
    }
  }

  /** `value`, when nothing was objected to. @throws ValidationError with everything that was. */
  unless<T>(value: T | undefined): T {
    if (this.#found.length === 0 && value !== undefined) return value;
    throw new ValidationError(this.#found.map(({ field, message }) => `${field}: ${message}`).join('; '), {
      issues: this.#found,
    });
  }
}
