import { describe, expect, it } from 'vitest';
import { StreamPlaces } from './stream-places.ts';

describe('places of event streams', () => {
  it('are so many for each key, and are given back once', () => {
    const places = new StreamPlaces(2);
    const first = places.take('key:a');
    expect(places.take('key:a')).not.toBeNull();
    expect(places.take('key:a')).toBeNull();
    expect(places.take('key:b')).not.toBeNull();
    first?.();
    first?.();
    expect(places.take('key:a')).not.toBeNull();
    expect(places.take('key:a')).toBeNull();
  });

  it('remember nobody who has none', () => {
    const places = new StreamPlaces(1);
    for (let n = 0; n < 100; n += 1) places.take(`key:${n}`)?.();
    expect(places.keys).toBe(0);
  });

  it('are without number where there is no limit', () => {
    const places = new StreamPlaces(0);
    for (let n = 0; n < 100; n += 1) expect(places.take('key:a')).not.toBeNull();
    expect(places.keys).toBe(0);
  });
});
