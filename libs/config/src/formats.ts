/** The formats environment variables come in: text in, typed value out. What is wrong is said by the caller. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseRetentionPolicy, tryResult } from '@spine/core';
import type { RetentionPolicy } from '@spine/core';
import { isProfileName } from './cascade/profiles.ts';
import { Secret } from './secret.ts';

/** A whole number in decimal digits: no sign, fraction, exponent or spaces. */
export function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
}

/** The same, or 0 for off. */
export function wholeNumberOrOff(min: number, max: number) {
  return wholeNumber(0, max).refine((value) => value === 0 || value >= min);
}

const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

/** An address to listen on. */
export const hostAddress = z.string().refine((text) => {
  if (isIP(text) !== 0) return true;
  // "300.1.1.1" is a well-formed host name that nobody means.
  return HOST_NAME.test(text) && !/^[\d.]+$/.test(text);
});

/** A URL with one of these protocols (with the colon). Secret, because such URLs hold passwords. */
export function serverUrl(protocols: readonly string[]) {
  return z
    .string()
    .refine((text) => protocols.some((protocol) => text.startsWith(`${protocol}//`)) && URL.canParse(text))
    .transform((text) => new Secret(text));
}

export const path = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'));

function parts(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export const pathList = path.transform((text) => [...new Set(parts(text, ':'))]).pipe(z.array(path).min(1));

export const laneList = z
  .string()
  .transform((text) => [...new Set(parts(text, ','))])
  .pipe(z.array(z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/)).min(1));

export const secretList = z
  .string()
  .transform((text) => [...new Set(parts(text, ','))])
  .pipe(z.array(z.string().regex(/^[A-Za-z0-9_.-]{16,256}$/)).min(1))
  .transform((keys) => keys.map((key) => new Secret(key)));

export const DEFAULT_TIER = 'minimal';
export const TIER_ALLOWED = 'a-z followed by up to 31 of a-z 0-9 _ -, but not base or local';

/** Also the end of a file name, `.env.{tier}`: nothing that another file of the cascade is named after. */
export const tierName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/)
  .refine((name) => name !== 'base' && name !== 'local');

export const ENVIRONMENT_ALLOWED = 'a-z followed by up to 31 of a-z 0-9 _ -';
export const environmentName = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/);

/** The same, printable: an address that holds no password. */
export const plainHttpUrl = z.string().refine((text) => {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return username === '' && password === '' && search === '' && hash === '';
});

/** A token as HTTP headers can carry it. */
export const token = z
  .string()
  .regex(/^[\x21-\x7e]{1,4096}$/)
  .transform((text) => new Secret(text));

export const profileName = z.string().refine(isProfileName);

export const vaultPath = z.string().regex(/^[A-Za-z0-9_.-]{1,128}(\/[A-Za-z0-9_.-]{1,128}){0,7}$/);

export const awsRegion = z.string().regex(/^[a-z]{2}(-[a-z]+){1,3}-\d{1,2}$/);

/** A retention policy of the ledger; the rules of its tables are part of the format. */
export const ledgerRetention = z.string().transform((text, ctx): RetentionPolicy => {
  const parsed = tryResult(() => parseRetentionPolicy(text));
  if (parsed.isOk()) return parsed.value;
  ctx.issues.push({ code: 'custom', message: parsed.error.message, input: text });
  return z.NEVER;
});

/** `name=value` pairs separated by commas, percent-encoded, as OpenTelemetry writes attributes and headers. */
function pairsOf(text: string): ReadonlyMap<string, string> | null {
  const pairs = parts(text, ',').map((part) => {
    const [, name, value] = /^([A-Za-z][A-Za-z0-9_.-]{0,127})\s*=\s*([\x21-\x7e ]{0,4096})$/.exec(part) ?? [];
    const decoded = value === undefined ? undefined : tryResult(() => decodeURIComponent(value));
    return name === undefined || decoded?.isOk() !== true ? null : ([name, decoded.value] as const);
  });
  return pairs.every((pair) => pair !== null) ? new Map(pairs) : null;
}

const pairText = z.string().transform((text, ctx) => {
  const pairs = pairsOf(text);
  if (pairs !== null && pairs.size > 0) return pairs;
  ctx.issues.push({ code: 'custom', message: 'no list of pairs', input: text });
  return z.NEVER;
});

export const attributePairs = pairText;

/** Values that nobody should read. */
export const headerPairs = pairText.transform(
  (pairs) => new Map([...pairs].map(([name, value]) => [name, new Secret(value)])),
);

/** From 0 to 1, as decimals. */
export const share = z
  .string()
  .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/)
  .transform(Number);

/** A name that is shown to people. */
export const displayName = z.string().regex(/^[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?$/);
