import { describe, expect, it } from 'vitest';
import { deciderOf } from './decider.ts';

describe('in whose name a decision is made', () => {
  it.each([
    ['a key, by default', { name: 'ada', scopes: ['operate'] }, undefined, { type: 'decides', name: 'ada' }],
    [
      'a key that says its name',
      { name: 'ada', scopes: ['operate'] },
      'ada',
      { type: 'decides', name: 'ada' },
    ],
    [
      'a key that says another',
      { name: 'bob', scopes: ['operate'] },
      'ada',
      { type: 'pretends', name: 'bob' },
    ],
    [
      'another case is another',
      { name: 'Ada', scopes: ['operate'] },
      'ada',
      { type: 'pretends', name: 'Ada' },
    ],
    [
      'an admin that says another',
      { name: 'root', scopes: ['admin'] },
      'ada',
      { type: 'decides', name: 'ada' },
    ],
    [
      'an admin, by default',
      { name: 'root', scopes: ['admin'] },
      undefined,
      { type: 'decides', name: 'root' },
    ],
    ['whoever says so, without keys', null, 'ada', { type: 'decides', name: 'ada' }],
    ['nobody, without keys', null, undefined, { type: 'nameless' }],
  ] as const)('%s', (_, caller, claimed, decider) => {
    expect(deciderOf(caller, claimed)).toEqual(decider);
  });
});
