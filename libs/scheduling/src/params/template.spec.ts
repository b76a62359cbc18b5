import { ValidationError } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { checkTemplate, fillTemplate } from './template.ts';
import type { Occurrence } from './template.ts';

const occurrence: Occurrence = {
  scheduleId: '0198',
  scheduleName: 'weekly',
  // Saturday in New York, Sunday in UTC.
  fireAt: new Date('2025-12-21T03:30:00Z'),
  previousFireAt: new Date('2025-12-14T03:30:00Z'),
  timeZone: 'America/New_York',
};

describe('params of a schedule', () => {
  it('get the values of their occurrence, at any depth', () => {
    const params = {
      week_ending: '{{ week_ending }}',
      nested: [{ text: 'from {{previous_fire_time}} to {{ fire_time }}' }, 5, null, true],
      dates: '{{ fire_date }} {{ local_date }}',
      of: '{{ schedule_name }}/{{ schedule_id }}',
    };
    checkTemplate(params);
    expect(fillTemplate(params, occurrence)).toEqual({
      week_ending: '2025-12-19',
      nested: [{ text: 'from 2025-12-14T03:30:00.000Z to 2025-12-21T03:30:00.000Z' }, 5, null, true],
      dates: '2025-12-21 2025-12-20',
      of: 'weekly/0198',
    });
  });

  it('have no previous time the first time', () => {
    expect(
      fillTemplate({ since: '{{ previous_fire_time }}' }, { ...occurrence, previousFireAt: null }),
    ).toEqual({
      since: '',
    });
  });

  it.each(['constructor', '__proto__', 'fire_time.constructor', '1 + 1', ''])(
    'may not ask for {{ %s }}',
    (name) => {
      expect(() => {
        checkTemplate({ a: [`x {{ ${name} }}`] });
      }).toThrowError(ValidationError);
      expect(fillTemplate({ a: `x {{ ${name} }}` }, occurrence)).toEqual({ a: `x {{ ${name} }}` });
    },
  );
});
