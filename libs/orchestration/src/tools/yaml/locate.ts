/** From fields to places in the text. */
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document, LineCounter, Range } from 'yaml';
import { placeOf } from './source.ts';
import type { YamlPlace } from './source.ts';

/**
 * Where `path` is in a document: a map's entry at its key, anything else at its start. Of a path that leads nowhere, the last
 * part that is there.
 */
export function locate(
  document: Document,
  lines: LineCounter,
  path: readonly (string | number)[],
): YamlPlace {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(part));
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)];
      if (item === undefined) break;
      offset = startOf(item) ?? offset;
      node = item;
    } else break;
  }
  return placeOf(lines, offset);
}

/**
 * The parts of a field such as `steps[2].params.rows`. A key that is written with dots or brackets counts as several, so that
 * a path made of it may end early.
 */
export function fieldPath(field: string): (string | number)[] {
  const parts: (string | number)[] = [];
  for (const [, index, quoted, name] of field.matchAll(/\[(\d+)\]|\["([^"]*)"\]|([^.[\]]+)/g))
    parts.push(index === undefined ? (quoted ?? name ?? '') : Number(index));
  return parts;
}

function startOf(node: unknown): number | undefined {
  const range: Range | null | undefined =
    isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : null;
  return range?.[0];
}
