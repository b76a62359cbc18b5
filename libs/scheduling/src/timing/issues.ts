import { ValidationError } from '@spine/core';

/** Refuses one field of a schedule. `message` says what was given and what is allowed. */
export function refuse(field: string, code: string, message: string): never {
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code, message }] });
}
