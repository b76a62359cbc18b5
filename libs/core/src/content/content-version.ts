import { ValidationError } from '../errors/permanent.ts';
import { sha256Hex } from '../hashing.ts';
import { isStorableText } from '../text.ts';

/** What a text is. */
export const ContentType = {
  TEXT: 'TEXT',
  HEADLINE: 'HEADLINE',
  PROMPT: 'PROMPT',
  FILING_SECTION: 'FILING_SECTION',
  DOCUMENT: 'DOCUMENT',
  OTHER: 'OTHER',
} as const;
export type ContentType = (typeof ContentType)[keyof typeof ContentType];

/** What made a version. */
export const ContentSource = {
  HUMAN: 'HUMAN',
  /** A person changed what something else had made. */
  HUMAN_EDITED: 'HUMAN_EDITED',
  /** A program wrote or expanded it. */
  GENERATED: 'GENERATED',
  IMPORTED: 'IMPORTED',
  SYSTEM: 'SYSTEM',
} as const;
export type ContentSource = (typeof ContentSource)[keyof typeof ContentSource];

/** One version of a text. Immutable. */
export interface ContentVersion {
  /** 1, 2, 3, … */
  readonly version: number;
  readonly content: string;
  /** SHA-256 of the content. */
  readonly contentHash: string;
  readonly source: ContentSource;
  /** Who or what made it. */
  readonly author: string;
  readonly note: string | null;
  /** ISO 8601 in UTC. */
  readonly createdAt: string;
}

export interface NewContentVersion {
  readonly content: string;
  readonly source: ContentSource;
  /** Not empty. */
  readonly author: string;
  readonly createdAt: Date;
  /** Why. Default null. */
  readonly note?: string | null;
}

/** Throws ValidationError for text that cannot be stored (NUL, lone surrogates), no author, and an invalid date. */
export function contentVersion(version: number, given: NewContentVersion): ContentVersion {
  if (!isStorableText(given.content)) {
    throw refused('content', 'it holds NUL or half a character', 'text that Postgres can store');
  }
  if (given.author.trim() === '') throw refused('author', 'it is empty', 'any other text');
  if (Number.isNaN(given.createdAt.getTime())) throw refused('created_at', 'an invalid date', 'a valid date');
  return Object.freeze({
    version,
    content: given.content,
    contentHash: sha256Hex(given.content),
    source: given.source,
    author: given.author,
    note: given.note ?? null,
    createdAt: given.createdAt.toISOString(),
  });
}

/** What happened between two versions. */
export interface ContentChange {
  readonly from: number;
  readonly to: number;
  readonly sameContent: boolean;
  /** In UTF-16 code units. */
  readonly lengthDelta: number;
  /** Lines that the later version has more often than the earlier one; a line that only moved does not count. */
  readonly linesAdded: number;
  readonly linesRemoved: number;
}

export function contentChange(from: ContentVersion, to: ContentVersion): ContentChange {
  const balance = new Map<string, number>();
  for (const line of from.content.split('\n')) balance.set(line, (balance.get(line) ?? 0) - 1);
  for (const line of to.content.split('\n')) balance.set(line, (balance.get(line) ?? 0) + 1);
  let [linesAdded, linesRemoved] = [0, 0];
  for (const count of balance.values()) {
    if (count > 0) linesAdded += count;
    else linesRemoved -= count;
  }
  return {
    from: from.version,
    to: to.version,
    sameContent: from.contentHash === to.contentHash,
    lengthDelta: to.content.length - from.content.length,
    linesAdded,
    linesRemoved,
  };
}

function refused(field: string, what: string, allowed: string): ValidationError {
  return new ValidationError(`${field}: ${what}; allowed is ${allowed}`, {
    issues: [{ field, code: 'invalid_content', message: `must be ${allowed}` }],
  });
}
