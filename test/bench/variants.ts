import { startEmbeddedPostgres } from '@spine/database/embedded';
import { createPool, runMigrations, CLAIM_SQL, SETTLE_SQL, insertRuns } from '@spine/database';
import { newRun, taskSpec } from '@spine/execution';
const pg = await startEmbeddedPostgres({ dataDir: '/tmp/spine-prof/pg2', settings: JSON.parse(process.env.S ?? '{}') });
await runMigrations({ connectionString: pg.connectionString });
const admin = createPool({ connectionString: pg.connectionString, max: 1 });
const adm = createPool({ connectionString: pg.connectionString, max: 1, role: null });
const wid = newRun(taskSpec('x')).runId;
const N = 500, B = 24;
async function measure(label: string) {
  await adm.query('TRUNCATE runs, run_events, dead_letters, workers');
  const runs = Array.from({ length: N * B }, () => newRun(taskSpec('noop')));
  let ti = 0;
  for (let i = 0; i < runs.length; i += N) { const t = performance.now(); await insertRuns(admin, runs.slice(i, i + N), { ambiguous: false, hinted: true }); ti += performance.now() - t; }
  await adm.query('VACUUM ANALYZE'); await adm.query('CHECKPOINT');
  let tc = 0, ts = 0;
  for (let k = 0; k < B; k++) {
    const ids = runs.slice(k * N, k * N + N).map((r) => r.runId);
    let t = performance.now();
    await admin.query({ name: 'c', text: CLAIM_SQL, values: ['{' + ids.join(',') + '}', wid, 30000, '{"task:noop"}'] });
    if (k > 3) tc += performance.now() - t;
    const nul = '{' + ids.map(() => 'NULL').join(',') + '}';
    t = performance.now();
    await admin.query({ name: 's', text: SETTLE_SQL, values: ['{' + ids.join(',') + '}', '{' + ids.map(() => 1).join(',') + '}', '{' + ids.map(() => 'completed').join(',') + '}', nul, nul, nul, '{' + ids.map(() => 'completed').join(',') + '}', nul, 'worker:' + wid] });
    if (k > 3) ts += performance.now() - t;
  }
  if (label !== 'warm') console.log((process.env.S ?? '').padEnd(30), label.padEnd(18), 'insert', (ti / B).toFixed(2), 'claim', (tc / (B - 4)).toFixed(2), 'settle', (ts / (B - 4)).toFixed(2), `ms per ${N}`);
}
await measure('warm'); await measure('base'); await measure('base');

const one = async (l: string) => { const t = performance.now(); for (let i = 0; i < 200; i++) await admin.query("update workers set running=running where id='" + wid + "'"); const ro = (performance.now() - t) / 200; await admin.query({text:`insert into workers(id,hostname,pid,version,lanes,handlers,slots) values('${wid}','h',1,'v','{}','{}',1)`}); const t2 = performance.now(); for (let i = 0; i < 200; i++) await admin.query("update workers set running=running where id='" + wid + "'"); console.log(l, 'roundtrip', ro.toFixed(3), 'commit', ((performance.now() - t2) / 200).toFixed(3)); };
await one('commit');
await adm.query('ALTER TABLE runs SET UNLOGGED'); await adm.query('ALTER TABLE run_events SET UNLOGGED'); await measure('unlogged (cpu only)'); await measure('unlogged (cpu only)');
await admin.end(); await adm.end(); await pg.stop();
