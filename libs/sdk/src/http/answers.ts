/** What an answer's status, headers and body mean. */
import { SpineAnswerError, SpineProblem } from '../errors.ts';
import type { FieldError } from '../generated/index.ts';

/** How much of a foreign answer an error shows. */
const SHOWN = 200;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isFieldError(value: unknown): value is FieldError {
  return (
    isObject(value) &&
    typeof value['field'] === 'string' &&
    typeof value['code'] === 'string' &&
    typeof value['message'] === 'string'
  );
}

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

/**
 * Milliseconds a Retry-After header asks for: seconds, or an HTTP date. Null for none and for what is neither.
 * @param now epoch milliseconds
 */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const until = Date.parse(header);
  return Number.isNaN(until) ? null : Math.max(0, until - now);
}

/** The error for an answer that is none of success. */
export function errorOf(response: Response, text: string): SpineProblem<string> | SpineAnswerError {
  const { status } = response;
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    const to = response.headers.get('location');
    return new SpineAnswerError(
      `answered with a redirect${to === null ? '' : ` to ${to.slice(0, SHOWN)}`}; give the address it leads to as baseUrl`,
      status,
    );
  }
  const document = parse(text);
  if (!isObject(document) || typeof document['code'] !== 'string') return foreignAnswer(response, text);
  const {
    code,
    title,
    detail,
    instance,
    errors,
    request_id,
    type: _type,
    status: _status,
    ...members
  } = document;
  return new SpineProblem<string>(code, {
    status,
    title: textOf(title, code),
    detail: textOf(detail, code),
    instance: textOf(instance, ''),
    errors: Array.isArray(errors) ? errors.filter(isFieldError) : [],
    requestId: typeof request_id === 'string' ? request_id : response.headers.get('x-request-id'),
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), Date.now()),
    members,
  });
}

/** The error for an answer that nothing of Spine has written. */
export function foreignAnswer(response: Response, text: string, cause?: unknown): SpineAnswerError {
  const type = response.headers.get('content-type') ?? 'no content type';
  const shown = text.trim().replace(/\s+/g, ' ').slice(0, SHOWN);
  return new SpineAnswerError(
    `answered ${response.status} with ${type}, not with the JSON of a Spine API${shown === '' ? '' : `: ${shown}`}`,
    response.status,
    cause === undefined ? undefined : { cause },
  );
}

/** Whether a success may be one of a Spine API, which has pages only for people. */
export function isExpected(response: Response): boolean {
  return response.status === 204 || !/^text\/html\b|^$/.test(response.headers.get('content-type') ?? '');
}
