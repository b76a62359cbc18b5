import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { facetCounts, mostSimilar, similarity } from './similarity.ts';
import { TagGroupSet } from './tag-group-set.ts';
import { parseTag } from './tag-path.ts';

const tag = fc.constantFrom('a', 'a/b', 'a/b/c', 'a/d', 'ab', 'e', 'e/b');
const tagList = fc.array(tag, { maxLength: 4 });
const sets = fc
  .record({ topics: tagList, sectors: tagList }, { requiredKeys: [] })
  .map((groups) => TagGroupSet.of(groups));

describe('tags', () => {
  it.each(['AAPL', 'sector/tech/software', 'two words', 'ökonomie', 'a'.repeat(200), 'a-b_c.d'])(
    'may be %j',
    (text) => {
      expect(parseTag(text)).toBe(text);
      expect(parseTag(` ${text.slice(0, 150)} `)).toBe(text.slice(0, 150));
    },
  );

  it.each([
    '',
    ' ',
    '/',
    'a/',
    '/a',
    'a//b',
    'a/ b',
    'a\nb',
    'a\0',
    '\u200b',
    'a'.repeat(201),
    'a/'.repeat(10) + 'a',
  ])('may not be %j', (text) => {
    expect(() => parseTag(text)).toThrow(ValidationError);
  });
});

describe('TagGroupSet', () => {
  const apple = TagGroupSet.of({
    tickers: ['MSFT', 'AAPL', 'AAPL'],
    sectors: ['tech/software', 'tech/hardware'],
    sentiment: [],
  });

  it('is sorted and unique, and equal to what was read back from its JSON', () => {
    expect(JSON.stringify(apple)).toBe(
      '{"sectors":["tech/hardware","tech/software"],"tickers":["AAPL","MSFT"]}',
    );
    expect(apple.dimensions).toEqual(['sectors', 'tickers']);
    expect(TagGroupSet.of(apple.toJSON()).equals(apple)).toBe(true);
    expect([TagGroupSet.EMPTY.isEmpty, apple.isEmpty, apple.tags('sentiment')]).toEqual([true, false, []]);
  });

  it('finds what lies below a tag, and not what only begins like it', () => {
    expect(apple.has('sectors', 'tech')).toBe(true);
    expect(apple.has('sectors', 'tech/software')).toBe(true);
    expect(apple.has('sectors', 'tech/soft')).toBe(false);
    expect(apple.has('sectors', 'tech/software/games')).toBe(false);
    expect(apple.has('tickers', 'tech')).toBe(false);
  });

  it('adds and removes without changing itself', () => {
    const more = apple.with('tickers', 'TSLA').with('sentiment', 'positive');
    expect(more.toJSON()).toMatchObject({ tickers: ['AAPL', 'MSFT', 'TSLA'], sentiment: ['positive'] });
    expect(more.without('sectors', 'tech').dimensions).toEqual(['sentiment', 'tickers']);
    expect(more.without('tickers', 'AAPL', 'TSLA').tags('tickers')).toEqual(['MSFT']);
    expect(more.without('tickers').dimensions).toEqual(['sectors', 'sentiment']);
    expect(apple.tags('tickers')).toEqual(['AAPL', 'MSFT']);
    expect([apple, apple.tags('tickers')].every((part) => Object.isFrozen(part))).toBe(true);
  });

  it('matches all, any, or any of every dimension', () => {
    const ask = (groups: Record<string, string[]>) => {
      const asked = TagGroupSet.of(groups);
      return [apple.matchesAll(asked), apple.matchesFacets(asked), apple.matchesAny(asked)];
    };
    expect(ask({ sectors: ['tech'], tickers: ['AAPL', 'MSFT'] })).toEqual([true, true, true]);
    expect(ask({ sectors: ['tech'], tickers: ['AAPL', 'TSLA'] })).toEqual([false, true, true]);
    expect(ask({ sectors: ['energy'], tickers: ['AAPL'] })).toEqual([false, false, true]);
    expect(ask({ sectors: ['energy'], sentiment: ['positive'] })).toEqual([false, false, false]);
    expect(ask({ tickers: ['TSLA', 'AAPL'] })).toEqual([false, true, true]);
    expect(ask({})).toEqual([true, true, false]);
  });

  it('merges as sets do, and matches all of what it is made of', () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const both = a.merge(b);
        expect(both.equals(b.merge(a))).toBe(true);
        expect([both.matchesAll(a), both.matchesAll(b), a.merge(a).equals(a)]).toEqual([true, true, true]);
        expect(a.matchesAll(b) && !b.isEmpty ? a.matchesFacets(b) && a.matchesAny(b) : true).toBe(true);
      }),
    );
  });

  it.each(['Sectors', '', 'a b', '1a', '__proto__x y', 'a'.repeat(64)])(
    'has no dimension %j',
    (dimension) => {
      expect(() => TagGroupSet.of({ [dimension]: ['x'] })).toThrow(ValidationError);
    },
  );

  it('names the tag that is none', () => {
    expect(() => TagGroupSet.of({ sectors: ['tech', '/'] })).toThrow('sectors[1]: "/" is not a tag');
  });
});

describe('facets', () => {
  it('count each item once at each level', () => {
    const items = [['tech/software', 'tech/hardware'], ['tech'], ['energy'], []].map((sectors) => ({
      tags: TagGroupSet.of({ sectors }),
    }));
    expect([...(facetCounts(items).get('sectors') ?? [])]).toEqual([
      ['energy', 1],
      ['tech', 2],
      ['tech/hardware', 1],
      ['tech/software', 1],
    ]);
    expect(facetCounts([]).size).toBe(0);
  });

  it('say how many items has() finds', () => {
    fc.assert(
      fc.property(fc.array(sets, { maxLength: 8 }), tag, (all, asked) => {
        const items = all.map((tags) => ({ tags }));
        const found = all.filter((tags) => tags.has('topics', asked)).length;
        expect(facetCounts(items).get('topics')?.get(asked) ?? 0).toBe(found);
      }),
    );
  });
});

describe('similarity', () => {
  const software = TagGroupSet.of({ sectors: ['tech/software'], tickers: ['AAPL'] });
  const hardware = TagGroupSet.of({ sectors: ['tech/hardware'], tickers: ['AAPL'] });

  it('is the weighted mean of the dimensions', () => {
    expect(String(similarity(software, hardware))).toBe('2/3');
    expect(String(similarity(software, hardware, { weights: { sectors: 2 } }))).toBe('5/9');
    expect(String(similarity(software, hardware, { weights: { tickers: 0 } }))).toBe('1/3');
    expect(String(similarity(software, TagGroupSet.EMPTY))).toBe('0');
    expect(similarity(TagGroupSet.EMPTY, TagGroupSet.EMPTY)).toBeNull();
    expect(similarity(software, hardware, { weights: { tickers: 0, sectors: 0 } })).toBeNull();
    expect(String(similarity(software, hardware, { weights: { sectors: 1_000_000 } }))).toBe(
      '1000003/3000003',
    );
    for (const weight of [-1, 0.5, 1_000_001, Number.NaN]) {
      expect(() => similarity(software, hardware, { weights: { sectors: weight } })).toThrow(ValidationError);
    }
  });

  it('is symmetric, within 0 and 1, and 1 for the same set alone', () => {
    fc.assert(
      fc.property(sets, sets, fc.integer({ min: 1, max: 9 }), (a, b, weight) => {
        const options = { weights: { topics: weight } };
        const alike = similarity(a, b, options);
        expect(alike === null).toBe(a.isEmpty && b.isEmpty);
        if (alike === null) return;
        expect(similarity(b, a, options)?.equals(alike)).toBe(true);
        expect([alike.toDecimal(9).gte(0), alike.toDecimal(9).lte(1)]).toEqual([true, true]);
        const same = a.dimensions
          .concat(b.dimensions)
          .every(
            (name) =>
              String([...a.tagsWithAncestors(name)].sort()) === String([...b.tagsWithAncestors(name)].sort()),
          );
        expect(alike.toString() === '1').toBe(same);
      }),
    );
  });

  it('ranks what has anything in common', () => {
    const items = [
      { id: 'none', tags: TagGroupSet.of({ sectors: ['energy'] }) },
      { id: 'half', tags: hardware },
      { id: 'same', tags: software },
      { id: 'also half', tags: hardware },
    ];
    expect(mostSimilar(software, items).map(({ item }) => item.id)).toEqual(['same', 'half', 'also half']);
    expect(mostSimilar(software, items, { limit: 1 }).map(({ item }) => item.id)).toEqual(['same']);
  });
});
