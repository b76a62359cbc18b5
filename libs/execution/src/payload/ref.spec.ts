import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PayloadCorruptError } from './errors.ts';
import { formatRef, isPayloadSlot, parseRef, PAYLOAD_SCHEMES, refOf, resultSlot, standIn } from './ref.ts';

const EMPTY_SHA = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('a payload reference', () => {
  it('says the store, the slot, the hash and the size in bytes', () => {
    expect(formatRef(refOf('pg', 'params', ''))).toBe(`pg:params:${EMPTY_SHA}:0`);
    expect(refOf('file', resultSlot(3), '語')).toMatchObject({ scheme: 'file', slot: 'result:3', bytes: 3 });
  });

  it('reads back as what was written', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PAYLOAD_SCHEMES),
        fc.option(fc.nat()),
        fc.string({ unit: 'binary' }),
        (scheme, epoch, text) => {
          const ref = refOf(scheme, epoch === null ? 'params' : resultSlot(epoch), text);
          expect(parseRef(formatRef(ref))).toEqual(ref);
        },
      ),
    );
  });

  it.each([
    '',
    'params',
    `s3:params:${EMPTY_SHA}:0`,
    `pg:../../etc/passwd:${EMPTY_SHA}:0`,
    `pg:result:-1:${EMPTY_SHA}:0`,
    `pg:result:1e3:${EMPTY_SHA}:0`,
    `pg:params:${EMPTY_SHA.toUpperCase()}:0`,
    `pg:params:${EMPTY_SHA}:-1`,
    `pg:params:${EMPTY_SHA}:0\n`,
    `file:params/../x:${EMPTY_SHA}:0`,
  ])('is not %j', (text) => {
    expect(() => parseRef(text)).toThrow(PayloadCorruptError);
  });

  it('has slots of two forms', () => {
    for (const slot of ['params', 'result:0', 'result:12345']) expect(isPayloadSlot(slot)).toBe(true);
    for (const slot of ['', 'result', 'result:', 'result:a', 'result:1/..', 'params\n', 'PARAMS']) {
      expect(isPayloadSlot(slot)).toBe(false);
    }
  });

  it('leaves a stand-in that says what is missing, and why', () => {
    const ref = refOf('pg', 'params', '');
    expect(standIn(ref)).toEqual({ $omitted: { bytes: 0, sha256: EMPTY_SHA } });
    expect(standIn(ref, 'gone')).toEqual({ $omitted: { bytes: 0, sha256: EMPTY_SHA, reason: 'gone' } });
  });
});
