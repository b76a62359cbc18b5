/** Values of a command line that are more than one word: params, files, specs. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import type { CliIo } from './io.ts';
import { UsageError } from './usage-error.ts';

/** As much as the API takes. */
const MAX_BYTES = 64 * 1024 * 1024;

/** What JSON can say; with it a value fits both the API's types and those of the workspace. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text of a file; `-` is standard input. @throws UsageError naming the file */
export async function readInput({ stdin, cwd }: Pick<CliIo, 'stdin' | 'cwd'>, file: string): Promise<string> {
  if (file === '-') return readText(stdin);
  const path = resolve(cwd, file);
  try {
    if (statSync(path).size > MAX_BYTES) throw new UsageError(`${file} has more than ${MAX_BYTES} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws UsageError naming where the text is from */
export function parseJsonObject(text: string, label: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw new UsageError(`${label} is no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (isObject(value)) return value;
  throw new UsageError(`${label} must be a JSON object such as {"week": "2026-01-02"}`);
}

/** Of a request only that members are there is looked at: the rest is the API's to judge, which says every field that is wrong. */
function isRequest<T extends object>(value: object, members: readonly (keyof T & string)[]): value is T {
  return members.every((member) => member in value);
}

/**
 * The body of a request as a JSON file; `-` is standard input.
 * @param what it is, with its article
 * @param members without which it is something else
 * @throws UsageError naming the file
 */
export async function readRequest<T extends object>(
  io: Pick<CliIo, 'stdin' | 'cwd'>,
  file: string,
  what: string,
  members: readonly (keyof T & string)[],
): Promise<T> {
  const body = parseJsonObject(await readInput(io, file), file === '-' ? 'standard input' : file);
  if (isRequest<T>(body, members)) return body;
  throw new UsageError(`${file} must be ${what} with ${members.join(', ')}`);
}

/** What comes after `key=`: JSON where it is some, else the text itself. `key:=` insists on JSON, `key==` on text. */
function assigned(argument: string): readonly [string, Json] {
  const [, key, operator, text] = /^([^=:]+)(==|:=|=)([\s\S]*)$/.exec(argument) ?? [];
  if (key === undefined || text === undefined) {
    throw new UsageError(
      `${JSON.stringify(argument)} is no param: allowed are key=value, a JSON object, @file and @- for standard input`,
    );
  }
  if (operator === '==') return [key, text];
  try {
    return [key, JSON.parse(text) as Json];
  } catch (error) {
    if (operator === ':=')
      throw new UsageError(`${key}:= takes JSON, not ${JSON.stringify(text)}`, { cause: error });
    return [key, text];
  }
}

/** Not a member of any object's prototype: `__proto__=1` is refused by the API, and must arrive there to be. */
function withMember(object: JsonObject, key: string, value: Json): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * Params from arguments, the later ones on top: JSON objects, `@file`, `@-`, `key=value`.
 * `n=3` is a number and `n==3` the text; what is no JSON is text.
 * @returns undefined where there are none
 * @throws UsageError naming the argument
 */
export async function readParams(
  io: Pick<CliIo, 'stdin' | 'cwd'>,
  args: readonly string[],
): Promise<JsonObject | undefined> {
  if (args.length === 0) return undefined;
  const params: JsonObject = {};
  for (const argument of args) {
    if (argument.startsWith('{') || argument.startsWith('@')) {
      const text = argument.startsWith('@') ? await readInput(io, argument.slice(1)) : argument;
      const label = argument.startsWith('@') ? argument : 'params';
      for (const [key, value] of Object.entries(parseJsonObject(text, label))) withMember(params, key, value);
    } else {
      withMember(params, ...assigned(argument));
    }
  }
  return params;
}

/** A partition key from `name=value` arguments: texts, numbers and booleans. @throws UsageError naming the argument */
export function partitionKeyOf(
  args: readonly string[] | undefined,
): { [key: string]: string | number | boolean } | undefined {
  if (args === undefined) return undefined;
  const entries = args.map((argument): readonly [string, string | number | boolean] => {
    const [name, value] = assigned(argument);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return [name, value];
    throw new UsageError(`${name} of a partition must be a text, a number or true or false`);
  });
  return Object.fromEntries(entries);
}
