import { describe, expect, it } from 'vitest';
import { offeredKeys } from './credentials.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the keys a request offers', () => {
  it('are those of both headers', () => {
    expect(offeredKeys({ authorization: 'Bearer one', 'x-api-key': 'two' }, false)).toEqual(['two', 'one']);
    expect(offeredKeys({}, true)).toEqual([]);
  });

  it('are read whatever the case of the scheme and the spaces after it', () => {
    expect(offeredKeys({ authorization: 'BEARER   one' }, false)).toEqual(['one']);
  });

  it('are the password of Basic, where that counts', () => {
    expect(offeredKeys({ authorization: basic('me:one') }, true)).toEqual(['one']);
    expect(offeredKeys({ authorization: basic(':one') }, true)).toEqual(['one']);
    expect(offeredKeys({ authorization: basic('me:a:b') }, true)).toEqual(['a:b']);
    expect(offeredKeys({ authorization: basic('me:one') }, false)).toEqual([]);
  });

  it.each(['Digest one', 'one', 'Bearer', ''])('are none in %j', (authorization) => {
    expect(offeredKeys({ authorization }, true).filter((key) => key !== '')).toEqual([]);
  });
});
