import { parsePlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';

/**
 * Easter Sunday of a Gregorian year, by the computus of Meeus, Jones and Butcher ("Nature", 20 April 1876; Meeus,
 * "Astronomical Algorithms", chapter 8). Valid from 1583 on.
 */
export function easterSunday(year: number): PlainDate {
  const golden = year % 19;
  const century = Math.floor(year / 100);
  const yearOfCentury = year % 100;
  const skippedLeapDays = century - Math.floor(century / 4);
  const lunarCorrection = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  // Days from 21 March to the full moon, then on to the Sunday after it.
  const epact = (19 * golden + skippedLeapDays - lunarCorrection + 15) % 30;
  const toSunday =
    (32 + 2 * (century % 4) + 2 * Math.floor(yearOfCentury / 4) - epact - (yearOfCentury % 4)) % 7;
  const lateMoon = Math.floor((golden + 11 * epact + 22 * toSunday) / 451);
  const shift = epact + toSunday - 7 * lateMoon + 114;
  return parsePlainDate(`${year}-0${Math.floor(shift / 31)}-${String((shift % 31) + 1).padStart(2, '0')}`);
}
