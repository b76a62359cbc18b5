import { startEmbeddedPostgres } from '@spine/database/embedded';
import { createPool, runMigrations, CLAIM_SQL, SETTLE_SQL, insertRuns } from '@spine/database';
import { newRun, taskSpec } from '@spine/execution';
const pg = await startEmbeddedPostgres({ dataDir: '/tmp/spine-prof/pg' });
await runMigrations({ connectionString: pg.connectionString });
const admin = createPool({ connectionString: pg.connectionString, max: 1 });
const adm = createPool({ connectionString: pg.connectionString, max: 1, role: null });
await adm.query('TRUNCATE runs, run_events, dead_letters, workers'); await adm.query('VACUUM ANALYZE');
const runs = Array.from({ length: 20000 }, () => newRun(taskSpec('noop')));
for (let i = 0; i < runs.length; i += 500) await insertRuns(admin, runs.slice(i, i + 500), { ambiguous: false, hinted: true });
await adm.query('VACUUM ANALYZE');
const wid = newRun(taskSpec('x')).runId;
for (let k = 0; k < 8; k++) {
  const ids = runs.slice(k * 100, k * 100 + 100).map((r) => r.runId);
  const q = async (name: string, text: string, values: unknown[]) => {
    const t = performance.now();
    const r = await admin.query({ name: name, text: (k === 7 ? 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) ' : '') + text, values } as any);
    console.log(name, k, (performance.now() - t).toFixed(2));
    if (k === 7) console.log(r.rows.map((x: any) => x['QUERY PLAN']).join('\n'));
  };
  await q('c' + (k === 7 ? 'x' : ''), CLAIM_SQL, ['{' + ids.join(',') + '}', wid, 30000, '{"task:noop"}']);
  const nul = '{' + ids.map(() => 'NULL').join(',') + '}';
  await q('s' + (k === 7 ? 'x' : ''), SETTLE_SQL, ['{' + ids.join(',') + '}', '{' + ids.map(() => 1).join(',') + '}', '{' + ids.map(() => 'completed').join(',') + '}', nul, nul, nul, '{' + ids.map(() => 'completed').join(',') + '}', nul, 'worker:' + wid]);
}
await admin.end(); await adm.end(); await pg.stop();
