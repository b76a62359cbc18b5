import pg from 'pg';
const c = new pg.Client({ connectionString: process.env.B_DB }); await c.connect();
if (process.argv[2] === 'on') for (let i = 0; i < 2; i++) await c.query(`INSERT INTO workers (id, hostname, pid, version, lanes, handlers, slots, last_seen_at) VALUES (gen_random_uuid(), 'x', 1, '0', '{default,backfill,slow}', '{task:echo}', 200, now() + interval '1 day')`);
else await c.query('DELETE FROM workers');
console.log((await c.query('select count(*) from runs')).rows[0]);
await c.end();
