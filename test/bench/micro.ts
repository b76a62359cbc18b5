import { startEmbeddedPostgres } from '@spine/database/embedded';
import { createPool, runMigrations, CLAIM_SQL, SETTLE_SQL, insertRuns } from '@spine/database';
import { newRun, taskSpec } from '@spine/execution';
const pg = await startEmbeddedPostgres({ dataDir: '/tmp/spine-prof/pg3', settings: { wal_compression: 'off' } });
await runMigrations({ connectionString: pg.connectionString });
const admin = createPool({ connectionString: pg.connectionString, max: 1 });
const adm = createPool({ connectionString: pg.connectionString, max: 1, role: null });
await adm.query('TRUNCATE runs, run_events, dead_letters, workers');
const runs = Array.from({ length: 20000 }, () => newRun(taskSpec('noop')));
for (let i = 0; i < runs.length; i += 500) await insertRuns(admin, runs.slice(i, i + 500), { ambiguous: false, hinted: true });
await adm.query('VACUUM ANALYZE');
let k = 0;
async function ex(label: string, text: string, db = adm) {
  const ts: number[] = [];
  for (let i = 0; i < 7; i++) {
    const ids = runs.slice((k % 40) * 500, (k % 40) * 500 + 500).map((r) => r.runId); k++;
    const r = await db.query('EXPLAIN (ANALYZE, TIMING OFF) ' + text.replaceAll('$ids', `'{${ids.join(',')}}'::uuid[]`));
    const e = r.rows.map((x: any) => x['QUERY PLAN']); ts.push(Number(/Execution Time: ([\d.]+)/.exec(e.join(' '))![1]));
  }
  ts.sort((a, b) => a - b); console.log(label.padEnd(40), ts[3]!.toFixed(2), 'ms/500', (ts[3]! * 2).toFixed(1), 'us/row');
}

const U = `UPDATE runs r SET status='running', epoch=epoch+1, attempt=attempt+1, lease_owner='01a1fe85-c2cc-7147-b54f-21dfb866dbac', lease_expires_at=now(), deadline_at=now(), dispatch_after=null WHERE id = ANY($ids) AND status || '' = 'queued'`;
const reset = async () => { await adm.query('TRUNCATE runs'); k = 0; for (let i = 0; i < runs.length; i += 500) await insertRuns(admin, runs.slice(i, i + 500), { ambiguous: false, hinted: true }); await adm.query('VACUUM ANALYZE'); };
await ex('claim update', U);
for (const ix of ['runs_correlation','runs_parent','runs_unsuccessful','runs_overdue','runs_idempotency_key']) { await adm.query('DROP INDEX '+ix); await reset(); await ex('- '+ix, U); }
await adm.query('DROP TRIGGER runs_terminal_is_absorbing ON runs'); await reset(); await ex('- trigger', U);
const { rows } = await adm.query(`select conname from pg_constraint where conrelid='runs'::regclass and contype='c'`);
for (const r of rows as any[]) await adm.query(`ALTER TABLE runs DROP CONSTRAINT ${r.conname}`); await reset(); await ex('- checks', U);
await adm.query('DROP INDEX runs_dispatch'); await reset(); await ex('- dispatch', U);
await adm.query('ALTER TABLE runs SET (fillfactor=40)'); await reset(); await ex('fillfactor 40', U);
await admin.end(); await adm.end(); await pg.stop();
