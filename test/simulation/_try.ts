import { RECOMMENDED } from './model/guards.ts';
import { simulate } from './schedule/simulate.ts';
const t0 = performance.now();
const counts: Record<string, number> = {};
let first: Record<string, [number, string]> = {};
let steps = 0, maxHeal = 0; const types: Record<string, number> = {}; const statuses: Record<string, number> = {};
const N = Number(process.argv[2] ?? 1000);
for (let s = 0; s < N; s++) {
  const o = simulate(s, RECOMMENDED);
  steps += o.schedule.length; maxHeal = Math.max(maxHeal, o.healMs);
  for (const a of o.schedule) types[a.type] = (types[a.type] ?? 0) + 1;
  for (const r of o.world.runs) if (r) statuses[r.row.status] = (statuses[r.row.status] ?? 0) + 1;
  if (o.violation) { counts[o.violation.invariant] = (counts[o.violation.invariant] ?? 0) + 1; first[o.violation.invariant] ??= [s, o.violation.detail]; }
}
console.log(N, 'seeds', (performance.now() - t0).toFixed(0), 'ms', steps, 'steps', 'maxHeal', maxHeal);
console.log(counts, first, types, statuses);
