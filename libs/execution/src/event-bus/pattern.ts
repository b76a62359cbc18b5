/** Which event types a subscription wants. Pure. */
import { ValidationError } from '@spine/core';

/** Says whether a type is wanted. */
export type TypeMatcher = (type: string) => boolean;

const PATTERN = /^(?=.{1,128}$)(?:[a-z0-9_]+|\*)(?:\.(?:[a-z0-9_]+|\*))*(?:\.(?:\*\*|>))?$/;

/**
 * `run.completed` is that type; `*` stands for one name (`run.*`, `*.failed`); `**` or `>` in the end for one or more
 * (`run.**`), alone for every type.
 *
 * @throws ValidationError for what is no pattern
 */
export function typeMatcher(pattern: string): TypeMatcher {
  const everything = pattern === '**' || pattern === '>';
  if (!everything && !PATTERN.test(pattern)) {
    const message =
      `given ${JSON.stringify(pattern.slice(0, 100))}; allowed: names of a-z 0-9 _ or * separated by dots, ` +
      'and ** or > in the end';
    throw new ValidationError(`pattern: ${message}`, {
      issues: [{ field: 'pattern', code: 'invalid_event_pattern', message }],
    });
  }
  const names = pattern.split('.');
  const last = names.at(-1);
  const open = last === '**' || last === '>';
  const wanted = open ? names.slice(0, -1) : names;
  return (type) => {
    const given = type.split('.');
    if (open ? given.length <= wanted.length : given.length !== wanted.length) return false;
    return wanted.every((name, index) => name === '*' || name === given[index]);
  };
}
