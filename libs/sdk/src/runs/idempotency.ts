/** Keys that make a submit repeatable: whatever is sent twice under one key is one run. */
/** 128 random bits as hex. `crypto.randomUUID` is missing in browsers on pages without TLS; this is not. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `sdk-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** What is submitted, with a key: its own, or a random one. */
export function keyed<S extends object>(
  spec: S & { idempotency_key?: string },
): S & { idempotency_key: string } {
  return { ...spec, idempotency_key: spec.idempotency_key ?? randomKey() };
}
