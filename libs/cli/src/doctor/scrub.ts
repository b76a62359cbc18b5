/** Texts of drivers and programs are shown with what we know to be secret taken out of them. */
import { REDACTED } from '@spine/core';

export type Clean = (text: string) => string;

/** The password of a URL, as it stands there and as it is meant. */
export function passwordsIn(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { password, searchParams } = new URL(url);
  return [password, decoded(password), searchParams.get('password') ?? ''];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Takes these secrets out of a text, wherever they stand in it. */
export function scrubber(secrets: Iterable<string>): Clean {
  // A long one first: a short one may be a part of it.
  const known = [...new Set(secrets)].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  return (text) => known.reduce((rest, secret) => rest.replaceAll(secret, REDACTED), text);
}
