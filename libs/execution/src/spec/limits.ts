/** Bounds of a WorkSpec. The HTTP contract documents them, the schema enforces them. */
export const LIMITS = {
  /** Handler names: a letter, then letters, digits, `_`, `.`, `-`. */
  name: /^[A-Za-z][A-Za-z0-9_.-]{0,199}$/,
  lane: /^[a-z][a-z0-9_-]{0,62}$/,
  triggerSource: /^[a-z][a-z0-9_.:-]{0,99}$/,
  keyLength: 200,
  tagLength: 100,
  tags: 20,
  /** JSON bytes of params or of a result. */
  payloadBytes: 1024 * 1024,
  metadataBytes: 16 * 1024,
  maxRetries: 1000,
  retryDelaySeconds: 86_400,
  timeoutSeconds: 7 * 86_400,
} as const;
