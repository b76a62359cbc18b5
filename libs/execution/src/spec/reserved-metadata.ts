/**
 * Metadata that the engine writes and believes: that a run goes on for another one, or was forked from one. It is what lets a
 * run begin where others wait or are skipped, and what says where it comes from, so that nobody outside may write it.
 */
export const RESERVED_METADATA = [
  'continues',
  'forked_from',
  'fork_step',
  'forked_by',
  'fork_reason',
] as const;

/** Those of the names in a caller's metadata that are not a caller's to write. */
export function reservedIn(metadata: Readonly<Record<string, unknown>>): string[] {
  return RESERVED_METADATA.filter((name) => Object.hasOwn(metadata, name));
}
