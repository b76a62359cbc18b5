/** What kind of trouble an error is: decides who is told and what a retry policy may assume. */
export const ErrorCategory = {
  /** A remote system could not be reached or answered with a transport failure. */
  NETWORK: 'NETWORK',
  /** The database refused, failed or was unreachable. */
  DATABASE: 'DATABASE',
  /** Files or objects could not be read or written. */
  STORAGE: 'STORAGE',
  /** An upstream data source is missing, unavailable or not what it claims to be. */
  SOURCE: 'SOURCE',
  /** Data arrived but could not be decoded. */
  PARSE: 'PARSE',
  /** Data was decoded and is not good enough: a quality gate failed. */
  DATA_QUALITY: 'DATA_QUALITY',
  /** A value breaks a rule: bad parameters, a missing row, a conflicting request. */
  VALIDATION: 'VALIDATION',
  /** An operation failed for a reason of its own. */
  OPERATION: 'OPERATION',
  /** A workflow or schedule could not proceed. */
  ORCHESTRATION: 'ORCHESTRATION',
  /** A setting is missing or wrong. */
  CONFIG: 'CONFIG',
  /** The caller is not known or not allowed. */
  AUTH: 'AUTH',
  /** Something took longer than it was given. */
  TIMEOUT: 'TIMEOUT',
  /** Memory, disk, slots or quota ran out. */
  RESOURCE: 'RESOURCE',
  /** A fault in Spine itself. */
  INTERNAL: 'INTERNAL',
  /** Thrown by code that does not say. */
  UNKNOWN: 'UNKNOWN',
} as const;
export type ErrorCategory = (typeof ErrorCategory)[keyof typeof ErrorCategory];

/** Every category, in the order of `ErrorCategory`. */
export const ERROR_CATEGORIES: readonly ErrorCategory[] = Object.values(ErrorCategory);

const KNOWN: ReadonlySet<unknown> = new Set(ERROR_CATEGORIES);

export function isErrorCategory(value: unknown): value is ErrorCategory {
  return KNOWN.has(value);
}
