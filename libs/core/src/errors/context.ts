import { truncateText } from '../text.ts';

/** Where an error happened. Every field is optional; set what is known. */
export interface ErrorContext {
  readonly workflow?: string;
  readonly step?: string;
  readonly runId?: string;
  readonly executionId?: string;
  readonly sourceName?: string;
  readonly sourceType?: string;
  /** Kept without user info and with the values of secret-looking query parameters replaced; at most 2,048 characters. */
  readonly url?: string;
  readonly httpStatus?: number;
  /** Anything else worth knowing. Must not hold secrets: it is logged and stored. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * `base` overlaid with the fields of `patch` that are not undefined; `metadata` is merged key by key. Unknown
 * fields of `patch` are dropped.
 */
export function mergeContext(base: ErrorContext, patch: ErrorContext): ErrorContext {
  const merged: { -readonly [K in keyof ErrorContext]: ErrorContext[K] } = { ...base };
  if (patch.workflow !== undefined) merged.workflow = patch.workflow;
  if (patch.step !== undefined) merged.step = patch.step;
  if (patch.runId !== undefined) merged.runId = patch.runId;
  if (patch.executionId !== undefined) merged.executionId = patch.executionId;
  if (patch.sourceName !== undefined) merged.sourceName = patch.sourceName;
  if (patch.sourceType !== undefined) merged.sourceType = patch.sourceType;
  if (patch.url !== undefined) merged.url = redactUrl(patch.url);
  if (patch.httpStatus !== undefined) merged.httpStatus = patch.httpStatus;
  // Spread, not Object.assign: an own `__proto__` key must stay data instead of becoming the prototype.
  if (patch.metadata !== undefined) merged.metadata = { ...base.metadata, ...patch.metadata };
  return Object.freeze(merged);
}

const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i;
const SECRET_PARAMETER =
  /([?&;#][^=&;#]*(?:key|token|secret|passw|signature|\bsig\b|auth|credential|session)[^=&;#]*=)[^&;#]*/gi;

/** Bounds what the patterns above have to look at. */
const MAX_URL_LENGTH = 2_048;

/** Works on text that is not a valid URL too: errors about a broken URL are the ones that carry it. */
function redactUrl(url: string): string {
  return truncateText(String(url), MAX_URL_LENGTH)
    .replace(USER_INFO, '$1')
    .replace(SECRET_PARAMETER, '$1REDACTED');
}
