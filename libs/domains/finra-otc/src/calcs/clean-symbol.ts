/** Parts of letters and digits, joined by one point: `AABB`, `BRK.B`. */
const CLEAN = /^(?=.{1,20}$)[A-Z0-9]+(?:\.[A-Z0-9]+)*$/;

/**
 * Symbols of securities that do not exist, with which exchanges and brokers test their systems. They are published with
 * figures now and then, which are nobody's volume.
 */
const TEST_ISSUES: ReadonlySet<string> = new Set([
  'ZAZZT',
  'ZBZX',
  'ZBZZT',
  'ZCZZT',
  'ZEXIT',
  'ZIEXT',
  'ZJZZT',
  'ZTEST',
  'ZTST',
  'ZVV',
  'ZVZZT',
  'ZWZZT',
  'ZXIET',
  'ZXYZ.A',
  'ZXZZT',
]);

/**
 * The one spelling of a symbol: no space around it, upper case, and a point before a class or series. Sources write the
 * class of a share in many ways: `BRK B`, `BRK/B`, `BRK-B` and `brk.b` are all `BRK.B`. Null for text that is no symbol.
 */
export function cleanSymbol(text: string): string | null {
  const clean = text
    .trim()
    .toUpperCase()
    .replaceAll(/[ ./-]/g, '.');
  return CLEAN.test(clean) ? clean : null;
}

/** Whether a clean symbol is one of those that systems are tested with. */
export function isTestIssue(symbol: string): boolean {
  return TEST_ISSUES.has(symbol);
}
