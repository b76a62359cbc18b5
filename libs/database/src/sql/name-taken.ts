import { isUniqueViolation } from './errors.ts';

export interface NameTaken {
  readonly type: 'name_taken';
  readonly name: string;
}

/** What `write` answers, or that `name` belongs to another, as the unique index `index` says. */
export async function orNameTaken<T>(
  name: string,
  index: string,
  write: () => Promise<T>,
): Promise<T | NameTaken> {
  try {
    return await write();
  } catch (error) {
    if (isUniqueViolation(error, index)) return { type: 'name_taken', name };
    throw error;
  }
}
