import type { PipeTransform } from '@nestjs/common';
import { LIMITS } from '@spine/execution';
import { invalid } from '../http/problem.ts';

/** The name of a lane in a path. */
export class LanePipe implements PipeTransform<string, string> {
  transform(lane: string): string {
    if (LIMITS.lane.test(lane)) return lane;
    const given = JSON.stringify(lane.slice(0, 80));
    throw invalid([
      {
        field: 'lane',
        code: 'invalid_format',
        message: `given ${given}; allowed: a name that matches ${LIMITS.lane.source}`,
      },
    ]);
  }
}
