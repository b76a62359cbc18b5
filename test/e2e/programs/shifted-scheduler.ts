/**
 * A scheduler whose host's clock is wrong: it ticks as fast as it can, one schedule a tick, until it is killed. Called with the
 * database's URL and the error of its clock in milliseconds.
 */
import { createEngine, HandlerRegistry, MemoryHintQueue } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createScheduleTicker } from '@spine/scheduling';

const [databaseUrl, shift] = process.argv.slice(2);
if (databaseUrl === undefined || shift === undefined) throw new TypeError('give a database URL and a shift');
const shiftMs = Number(shift);

const RealDate = Date;
class ShiftedDate extends RealDate {
  constructor(value: number | string | Date = RealDate.now() + shiftMs) {
    super(value);
  }

  static override now(): number {
    return RealDate.now() + shiftMs;
  }
}
Object.assign(globalThis, { Date: ShiftedDate });

const engine = await createEngine({
  databaseUrl,
  redisUrl: null,
  registry: new HandlerRegistry(),
  logger: silentLogger(),
  metrics: new Metrics('scheduler'),
  service: 'shifted-scheduler',
  queue: new MemoryHintQueue(),
});
createScheduleTicker({
  ...engine,
  calendars: new Map(),
  by: String(process.pid),
  batch: 1,
  tickMs: 5,
}).start();
process.send?.({ now: Date.now() });
