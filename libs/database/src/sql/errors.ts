/** What a failed statement means for the caller. SQLSTATE classes: PostgreSQL documentation, appendix A. */
export type SqlFault =
  /** The connection broke or the server went away: the commit may or may not have happened. */
  | 'connection'
  /** A deadlock or serialization failure: nothing was written, the same statement may be sent again. */
  | 'conflict'
  /** A value the statement carried is not storable or breaks a constraint: sending it again fails again. */
  | 'data'
  | 'other';

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ECONNABORTED',
  '57P01',
  '57P02',
  '57P03',
  '53300',
]);

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function classifySqlFault(error: unknown): SqlFault {
  const code = codeOf(error);
  if (code !== undefined) {
    if (CONNECTION_CODES.has(code) || code.startsWith('08')) return 'connection';
    if (code === '40001' || code === '40P01') return 'conflict';
    if (code.startsWith('22') || code.startsWith('23')) return 'data';
    return 'other';
  }
  // pg reports a socket that closes under a query, an answer that does not come in time, and a pool that cannot connect
  // in time without a code.
  if (error instanceof Error && /connection|timeout exceeded|read timeout/i.test(error.message)) {
    return 'connection';
  }
  return 'other';
}

export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (codeOf(error) !== '23505') return false;
  if (constraint === undefined) return true;
  return (
    typeof error === 'object' && error !== null && 'constraint' in error && error.constraint === constraint
  );
}

/** A lock that was not given in time, or a transaction that the server ended because its process stood still. */
export function isGateBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === '55P03' || code === '25P03';
}
