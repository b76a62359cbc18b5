/** What a tool answers, and how it is told: structured, the same as text, and never larger than there is room for. */
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { assertNever } from '@spine/core';
import type { PageOf } from '@spine/sdk';
import { clean } from './clean.ts';
import { fitList, fitValue } from './fit.ts';
import type { Omission } from './fit.ts';
import { readPart } from './part.ts';
import type { PartArgs } from './part.ts';

export type Answer =
  | { readonly type: 'one'; readonly data: unknown; readonly part: PartArgs }
  | { readonly type: 'list'; readonly data: readonly unknown[]; readonly page: PageOf<unknown>['page'] };

/** One thing. @param part what of it was asked for */
export function one(data: unknown, part: PartArgs = {}): Answer {
  return { type: 'one', data, part };
}

/** A page of a list. @param summary what is told of an item; default: all of it */
export function list<T>({ data, page }: PageOf<T>, summary: (item: T) => unknown = (item) => item): Answer {
  return { type: 'list', data: data.map(summary), page };
}

export interface Room {
  /** Characters of the answer's data as JSON. */
  readonly characters: number;
  /** Texts that no answer may hold. */
  readonly secrets: readonly string[];
}

const HOW_PARTS =
  'ask again with one of these paths as `part`, and what you have of it as `from`, where the tool takes them';

interface Body {
  readonly [member: string]: unknown;
}

/** Null where nothing was left out. */
function omission(omitted: readonly Omission[], how: string): Body {
  return omitted.length === 0 ? {} : { omitted: { parts: omitted, how } };
}

function bodyOfOne(data: unknown, asked: PartArgs, { characters, secrets }: Room): Body {
  const { value, path, length } = readPart(data, asked);
  const from = asked.from ?? 0;
  const { value: fitted, omitted } = fitValue(clean(value, secrets), characters, path);
  return {
    data: fitted,
    ...(asked.part === undefined ? {} : { part: path }),
    ...(length === null || path === '$' ? {} : { from, length }),
    ...omission(omitted, HOW_PARTS),
  };
}

/** What to pass for the following page; null at the end. */
function nextOf({ has_more, next_cursor, offset }: PageOf<unknown>['page'], count: number): Body | null {
  if (!has_more) return null;
  return next_cursor === null ? { offset: offset + count } : { cursor: next_cursor };
}

function bodyOfList(data: readonly unknown[], page: PageOf<unknown>['page'], room: Room): Body {
  const { value, omitted, left } = fitList(
    data.map((item) => clean(item, room.secrets)),
    room.characters,
  );
  const { total, total_is_capped } = page;
  const how =
    left === 0
      ? 'the tool that gets one of these has the whole'
      : `${left} more of this page found no room: ask again with limit ${value.length}, and go on from there`;
  return {
    data: value,
    // The cursor leads behind the whole page: where some of it is missing it would skip that.
    page: { total, total_is_capped, next: left === 0 ? nextOf(page, data.length) : null },
    ...(left === 0 ? omission(omitted, how) : { omitted: { items: left, parts: omitted, how } }),
  };
}

function bodyOf(answer: Answer, room: Room): Body {
  switch (answer.type) {
    case 'one':
      return bodyOfOne(answer.data, answer.part, room);
    case 'list':
      return bodyOfList(answer.data, answer.page, room);
    default:
      return assertNever(answer);
  }
}

/** @throws ValidationError for a part that is not there */
export function toResult(answer: Answer, room: Room): CallToolResult {
  const structuredContent = { ...bodyOf(answer, room) };
  return { structuredContent, content: [{ type: 'text', text: JSON.stringify(structuredContent) }] };
}
