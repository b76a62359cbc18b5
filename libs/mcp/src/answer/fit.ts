/**
 * Making a value fit an answer: what reads the answers has room for so much and no more. Pure.
 *
 * 1. The JSON of what is returned is never longer than the budget, whatever comes in. 2. Nothing is left out in silence: each
 * cut is told with its path, in the words `part` takes. 3. What is cut is cut from the end, so what is there is right.
 */
import { truncateText } from '@spine/core';

/** Something that was left out of an answer. */
export interface Omission {
  /** Where, as the argument `part` takes it: `$.result.rows`. */
  readonly path: string;
  readonly kept: number;
  readonly of: number;
  readonly unit: 'items' | 'fields' | 'characters' | 'levels';
}

export interface Fitted {
  readonly value: unknown;
  readonly omitted: readonly Omission[];
}

/** How much of one text, list, object is kept, and how deep. */
interface Allowance {
  readonly characters: number;
  readonly items: number;
  readonly fields: number;
  readonly levels: number;
}

/** The first that fits is taken. */
const ALLOWANCES: readonly Allowance[] = [
  { characters: 16_000, items: 500, fields: 500, levels: 64 },
  { characters: 4_000, items: 100, fields: 200, levels: 16 },
  { characters: 1_000, items: 30, fields: 100, levels: 10 },
  { characters: 300, items: 10, fields: 50, levels: 6 },
  { characters: 80, items: 3, fields: 20, levels: 3 },
  { characters: 80, items: 3, fields: 20, levels: 1 },
];

/** With less, a list is cut as everything else is: a fourth of it would hold no item. */
const ROOM_FOR_ITEMS = 1_000;
const MAX_OMISSIONS = 20;
const MAX_PATH = 200;
/** Names that a path can hold after a dot; see `parseJsonLocation`. */
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

function below(path: string, name: string): string {
  if (PLAIN_NAME.test(name)) return `${path}.${name}`;
  return name.includes("'") ? `${path}["${name}"]` : `${path}['${name}']`;
}

class Cutter {
  readonly omitted: Omission[] = [];
  readonly #allowance: Allowance;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  cut(value: unknown, path: string, level = 0): unknown {
    const { characters, items, fields, levels } = this.#allowance;
    if (typeof value === 'string') {
      const text = truncateText(value, characters);
      // Without the ellipsis: what follows begins there.
      if (text !== value) this.#tell(path, value.length, text.length - 1, 'characters');
      return text;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (level === levels) {
      this.#tell(path, level + 1, levels, 'levels');
      return null;
    }
    if (Array.isArray(value)) {
      this.#tell(path, value.length, items, 'items');
      return value.slice(0, items).map((item, n) => this.cut(item, `${path}[${n}]`, level + 1));
    }
    const entries = Object.entries(value);
    this.#tell(path, entries.length, fields, 'fields');
    return Object.fromEntries(
      entries.slice(0, fields).map(([name, item]) => [name, this.cut(item, below(path, name), level + 1)]),
    );
  }

  #tell(path: string, of: number, kept: number, unit: Omission['unit']): void {
    if (of <= kept || this.omitted.length === MAX_OMISSIONS) return;
    this.omitted.push({ path: truncateText(path, MAX_PATH), kept, of, unit });
  }
}

function sizeOf(value: unknown): number {
  return JSON.stringify(value)?.length ?? 0;
}

/**
 * @param value JSON
 * @param budget characters of JSON, at least 100
 * @param path of the value in what it is a part of
 */
export function fitValue(value: unknown, budget: number, path = '$'): Fitted {
  if (sizeOf(value) <= budget) return { value, omitted: [] };
  if (Array.isArray(value) && budget >= ROOM_FOR_ITEMS) {
    const { value: kept, omitted, left } = fitList(value, budget, path);
    const cut: Omission = { path, kept: kept.length, of: value.length, unit: 'items' };
    return { value: kept, omitted: left === 0 ? omitted : [cut, ...omitted] };
  }
  for (const allowance of ALLOWANCES) {
    const cutter = new Cutter(allowance);
    const cut = cutter.cut(value, path);
    if (sizeOf(cut) <= budget) return { value: cut, omitted: cutter.omitted };
  }
  return { value: null, omitted: [{ path, kept: 0, of: 1, unit: 'levels' }] };
}

export interface FittedList extends Fitted {
  readonly value: readonly unknown[];
  /** Items at the end that found no room. */
  readonly left: number;
}

/**
 * As many items as there is room for, whole, from the first on. One that would take more than a fourth of the room, or than an
 * even share where there are fewer, is cut to that; so there is always one.
 */
export function fitList(items: readonly unknown[], budget: number, path = '$'): FittedList {
  const value: unknown[] = [];
  const omitted: Omission[] = [];
  const most = Math.floor(budget / Math.min(4, Math.max(1, items.length))) - 2;
  let room = budget - 2;
  for (const [n, item] of items.entries()) {
    const fitted = fitValue(item, most, `${path}[${n}]`);
    room -= sizeOf(fitted.value) + 1;
    if (room < 0) break;
    value.push(fitted.value);
    omitted.push(...fitted.omitted.slice(0, MAX_OMISSIONS - omitted.length));
  }
  return { value, omitted, left: items.length - value.length };
}
