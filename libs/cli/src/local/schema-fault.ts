/** What undefined tables, columns, functions and roles are reported as: the schema is older than this program. */
const NOT_THERE = new Set(['42P01', '42703', '42883', '42704']);

/** Whether a server has answered that it has no database of that name. */
export function isNoDatabase(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '3D000';
}

/** Whether a statement has failed because something of the schema is not there. */
export function isNotThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NOT_THERE.has(String(error.code));
}
