/** What is shown in place of a value that may be secret. One text everywhere, so that readers and searches know it. */
export const REDACTED = '[REDACTED]';
