import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NotFoundError, ValidationError } from '../errors/permanent.ts';
import { sha256Hex } from '../hashing.ts';
import { ContentSource, ContentType, type NewContentVersion } from './content-version.ts';
import { VersionedContent } from './versioned-content.ts';

const AT = new Date('2025-12-26T12:00:00Z');

function draft(content: string, more: Partial<NewContentVersion> = {}): NewContentVersion {
  return { content, source: ContentSource.HUMAN, author: 'desk', createdAt: AT, ...more };
}

function headline(content: string): VersionedContent {
  return VersionedContent.create({ id: 'h-1', contentType: ContentType.HEADLINE, ...draft(content) });
}

function appended(
  to: VersionedContent,
  content: string,
  more: Partial<NewContentVersion> = {},
): VersionedContent {
  const outcome = to.append(draft(content, more), to.current.version);
  if (outcome.type !== 'appended') throw new Error(outcome.type);
  return outcome.content;
}

describe('VersionedContent', () => {
  it('keeps every version, and who made it why', () => {
    const first = headline('Volume rises');
    const third = appended(
      appended(first, 'Volume rises, and why', { source: ContentSource.GENERATED, author: 'expander' }),
      'Volume rose',
      { source: ContentSource.HUMAN_EDITED, note: 'tense' },
    );
    expect(third.history.map(({ version, source, author, note }) => [version, source, author, note])).toEqual(
      [
        [1, 'HUMAN', 'desk', null],
        [2, 'GENERATED', 'expander', null],
        [3, 'HUMAN_EDITED', 'desk', 'tense'],
      ],
    );
    expect([third.current.content, third.get(1).content]).toEqual(['Volume rose', 'Volume rises']);
    expect(third.current.contentHash).toBe(sha256Hex('Volume rose'));
    expect(first.history).toHaveLength(1);
  });

  it('has no new version for the same content, from whatever base', () => {
    const second = appended(headline('a'), 'b');
    for (const base of [1, 2]) {
      const outcome = second.append(draft('b', { author: 'another' }), base);
      expect(outcome).toEqual({ type: 'unchanged', content: second, version: second.current });
    }
    expect(appended(second, 'a').current.version).toBe(3);
  });

  it('does not overwrite what somebody else appended meanwhile', () => {
    const second = appended(headline('a'), 'b');
    const outcome = second.append(draft('c'), 1);
    expect(outcome).toEqual({ type: 'conflict', base: second.get(1), current: second.current });
    expect(second.append(draft('b and c'), 2).type).toBe('appended');
  });

  it('says what changed', () => {
    const second = appended(headline('one\ntwo\ntwo\nthree'), 'three\ntwo\none\nfour\nfive');
    expect(second.change(1, 2)).toEqual({
      from: 1,
      to: 2,
      sameContent: false,
      lengthDelta: 6,
      linesAdded: 2,
      linesRemoved: 1,
    });
    expect(second.change(2, 1)).toMatchObject({ linesAdded: 1, linesRemoved: 2, lengthDelta: -6 });
    expect(second.change(2, 2)).toMatchObject({ sameContent: true, linesAdded: 0, linesRemoved: 0 });
  });

  it('knows what was current at an instant', () => {
    const second = appended(headline('a'), 'b', { createdAt: new Date('2025-12-27T00:00:00Z') });
    const at = (instant: string): number | undefined => second.asOf(new Date(instant))?.version;
    expect([at('2025-12-26T11:59:59Z'), at('2025-12-26T12:00:00Z'), at('2025-12-27T00:00:00Z')]).toEqual([
      undefined,
      1,
      2,
    ]);
  });

  it('is read back as it was, and not after it was tampered with', () => {
    const second = appended(headline('a'), 'b');
    const { id, contentType, history } = second;
    const [one, two] = history;
    if (one === undefined || two === undefined) throw new Error('two versions');
    expect(VersionedContent.restore({ id, contentType, history })).toEqual(second);
    for (const wrong of [
      [],
      [two, one],
      [two],
      [one, { ...two, content: 'c' }],
      [one, { ...two, version: 3 }],
    ]) {
      expect(() => VersionedContent.restore({ id, contentType, history: wrong })).toThrow(ValidationError);
    }
  });

  it('only ever grows, numbered without a gap, each version another content than the one before', () => {
    const step = fc.record({
      content: fc.constantFrom('a', 'b', 'c'),
      behind: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let content = headline('a');
        for (const { content: text, behind } of steps) {
          const before = content;
          const base = Math.max(1, content.current.version - behind);
          const outcome = content.append(draft(text), base);
          if (outcome.type === 'appended') content = outcome.content;
          expect(outcome.type === 'unchanged').toBe(text === before.current.content);
          expect(content.history.slice(0, before.history.length)).toEqual(before.history);
        }
        content.history.forEach((version, index) => {
          expect(version.version).toBe(index + 1);
          expect(version.contentHash).not.toBe(content.history[index + 1]?.contentHash);
        });
        expect(content.current).toBe(content.history.at(-1));
      }),
    );
  });

  it.each([
    ['content', { content: 'a\0' }],
    ['content', { content: '\ud800' }],
    ['author', { author: ' ' }],
    ['created_at', { createdAt: new Date(Number.NaN) }],
  ])('refuses a wrong %s', (field, wrong) => {
    expect(() => headline('a').append(draft('b', wrong), 1)).toThrow(new RegExp(`^${field}: `));
  });

  it.each([0, -1, 2, 0.5, Number.NaN])('has no version %s', (version) => {
    expect(() => headline('a').get(version)).toThrow(NotFoundError);
    expect(() => headline('a').append(draft('b'), version)).toThrow(NotFoundError);
  });

  it('cannot be changed', () => {
    const content = headline('a');
    expect([content, content.history, content.current].every((part) => Object.isFrozen(part))).toBe(true);
  });
});
