import { expect, it } from 'vitest';
import { parseAsJsonb } from './jsonb-order.ts';

it.each([
  ['{"longer":1,"b":2,"a":3}', '{"a":3,"b":2,"longer":1}'],
  ['{"é":1,"zz":2,"ab":3,"z":4}', '{"z":4,"ab":3,"zz":2,"é":1}'],
  ['[{"bb":{"d":1,"c":2},"a":null}]', '[{"a":null,"bb":{"c":2,"d":1}}]'],
  ['{"a":1,"a":2}', '{"a":2}'],
  ['{"aa":1,"__proto__":{"y":1,"x":2}}', '{"aa":1,"__proto__":{"x":2,"y":1}}'],
  ['7', '7'],
])('%s is %s', (text, answered) => {
  expect(JSON.stringify(parseAsJsonb(text))).toBe(answered);
});
