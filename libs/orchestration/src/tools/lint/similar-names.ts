import type { LintRule } from './lint.ts';

/** Comparing each name with each is for workflows that people read. */
const MOST_STEPS = 500;

/** Names that differ by one character, or by case alone. Numbered ones (`load_1`, `load_2`) are meant to. */
export const similarNames: LintRule = {
  code: 'W009',
  severity: 'info',
  title: 'Two names are easily mistaken for each other.',
  check: ({ workflow: { steps } }) => {
    if (steps.length > MOST_STEPS) return [];
    return steps.flatMap(({ name }, index) =>
      steps
        .slice(0, index)
        .filter((other) => other.name !== name && alike(other.name, name))
        .map((other) => ({
          field: `steps[${index}].name`,
          message: `step ${name}: is easily mistaken for ${other.name}`,
        })),
    );
  },
};

function alike(a: string, b: string): boolean {
  if (a.toLowerCase() === b.toLowerCase()) return true;
  if (Math.min(a.length, b.length) < 4) return false;
  if (a.replace(/\d+/g, '#') === b.replace(/\d+/g, '#')) return false;
  return oneEdit(a, b) && /[a-z]/i.test(differing(a, b));
}

/** Whether one character more, less or another makes one of the other. */
function oneEdit(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  const at = commonStart(short, long);
  return short.slice(at + (short.length === long.length ? 1 : 0)) === long.slice(at + 1);
}

function differing(a: string, b: string): string {
  const at = commonStart(a, b);
  return (a.length >= b.length ? a : b).charAt(at);
}

function commonStart(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a.charAt(at) === b.charAt(at)) at += 1;
  return at;
}
