import { RECOMMENDED } from './model/guards.ts';
import { search, shortest } from './schedule/search.ts';
import { MUTATIONS } from './mutations.ts';
const N = Number(process.argv[2] ?? 3000);
for (const m of MUTATIONS) {
  const f = search({ guards: { ...RECOMMENDED, ...m.weakened }, seeds: N, invariant: m.breaks, ...(m.ignoring ? { ignored: m.ignoring } : {}) });
  console.log(f === null ? 'MISS' : 'ok  ', m.name.padEnd(45), m.breaks, f && `seed ${f.seed} steps ${f.failing.schedule.length} short ${shortest(f).schedule.length}`);
}
