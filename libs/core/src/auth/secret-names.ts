import { REDACTED } from './redacted.ts';

const SECRET_NAME =
  /secret|passw|token|authorization|cookie|credential|api[_-]?key|access[_-]?key|private[_-]?key|signature/i;

/** Whether what a field of this name holds may be a secret: it is then neither recorded nor answered. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/**
 * JSON as it may be shown: texts, lists and objects whose names say that they may be secret are `[REDACTED]`, at any depth.
 * Numbers, booleans, null and empty texts stay (`max_tokens: 100`). Nothing is copied where nothing is hidden.
 */
export function hideSecretFields(value: Readonly<Record<string, unknown>>): Record<string, unknown>;
export function hideSecretFields(value: unknown): unknown;
export function hideSecretFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const shown = items.map(hideSecretFields);
    return shown.some((item, index) => item !== items[index]) ? shown : value;
  }
  let changed = false;
  const shown = Object.entries(value).map(([name, member]: [string, unknown]): [string, unknown] => {
    const kept = isSecretName(name) && mayHoldSecret(member) ? REDACTED : hideSecretFields(member);
    changed ||= kept !== member;
    return [name, kept];
  });
  return changed ? Object.fromEntries(shown) : value;
}

function mayHoldSecret(member: unknown): boolean {
  return typeof member === 'string' ? member !== '' : typeof member === 'object' && member !== null;
}

/** Every text that {@link hideSecretFields} hides, those within lists and objects too. */
export function secretTexts(value: unknown): string[] {
  const found: string[] = [];
  collect(value, false, found);
  return found;
}

function collect(value: unknown, isSecret: boolean, found: string[]): void {
  if (typeof value === 'string') {
    if (isSecret && value !== '') found.push(value);
  } else if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) collect(item, isSecret, found);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value))
      collect(member, isSecret || isSecretName(name), found);
  }
}
