/**
 * Preloaded with `--import …/clock-skew.ts?skew_ms=300000`: shifts the wall clock of its process, as on a machine
 * whose clock is wrong. `performance.now()` and timers go on as they are; a wrong clock does not change them either.
 */
const skewMs = Number(new URL(import.meta.url).searchParams.get('skew_ms') ?? '0');
const RealDate = Date;

function now(): number {
  return RealDate.now() + skewMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: readonly unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, key, receiver) => (key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown)),
});
