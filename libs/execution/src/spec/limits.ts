/** Bounds of a WorkSpec. The HTTP contract documents them, the schema enforces them. */
export const LIMITS = {
  /** Handler names: a letter, then letters, digits, `_`, `.`, `-`. */
  name: /^[A-Za-z][A-Za-z0-9_.-]{0,199}$/,
  lane: /^[a-z][a-z0-9_-]{0,62}$/,
  triggerSource: /^[a-z][a-z0-9_.:-]{0,99}$/,
  keyLength: 200,
  tagLength: 100,
  tags: 20,
  /** JSON bytes of params or of a result, unless a deployment says otherwise. */
  payloadBytes: 16 * 1024 * 1024,
  /** JSON bytes of what a handler says with an event. */
  eventBytes: 64 * 1024,
  metadataBytes: 16 * 1024,
  maxRetries: 1000,
  retryDelaySeconds: 86_400,
  timeoutSeconds: 7 * 86_400,
  /** Gates of one sort that a spec may name. */
  gates: 5,
  /** The largest concurrency limit. */
  concurrency: 100_000,
  /** Names of dependencies with a circuit breaker. */
  breaker: /^[a-z][a-z0-9_.-]{0,99}$/,
  deadlineSeconds: 366 * 86_400,
} as const;
