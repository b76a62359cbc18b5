import { mkdtempSync, writeFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, HandlerRegistry, MemoryHintQueue, operationSpec, Worker } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase } from '@spine/testing';
import { it } from 'vitest';
import { INGEST_WEEK, registerFinraOtc } from './index.ts';
it('big', async () => {
  const own = mkdtempSync(join(tmpdir(), 'spine-big-'));
  const head = 'tierDescription|issueSymbolIdentifier|issueName|marketParticipantName|MPID|totalWeeklyShareQuantity|totalWeeklyTradeCount|lastUpdateDate\n';
  writeFileSync(join(own, 'b_20251215.csv'), head + Array.from({ length: 300_000 }, (_, i) => `OTC|A${i}|Name of the issue number ${i} Common Stock|OTCN OTC LINK NQB IDQS|OTCN|${i}|1|2025-12-15\n`).join(''));
  const db = await createTestDatabase();
  const engine = await createEngine({ databaseUrl: db.connectionString, redisUrl: null, registry: registerFinraOtc(new HandlerRegistry(), { dataRoots: [own] }), logger: silentLogger(), metrics: new Metrics('t'), service: 't', queue: new MemoryHintQueue() });
  const worker = new Worker({ ...engine, lanes: ['default'] });
  await worker.start();
  globalThis.gc?.();
  let peak = 0; const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss); }, 50);
  for (let k = 0; k < 2; k += 1) {
    const t = performance.now();
    const before = process.memoryUsage().rss;
    const done = await engine.dispatcher.submitAndWait(operationSpec(INGEST_WEEK, { file_path: 'b_20251215.csv' }), { timeoutMs: 200_000 });
    console.log(Math.round(performance.now() - t), 'ms', JSON.stringify(done.type === 'run' && [done.run.status, done.run.result, done.run.attempt]), Math.round(before / 1e6), Math.round(peak / 1e6));
  }
  const ev = await engine.pool.query("select event_type, data from run_events where event_type='progress' order by event_id");
  console.log(JSON.stringify(ev.rows.map((r) => r.data.fraction)));
  clearInterval(timer);
  await worker.stop(); await engine.close(); await db.drop(); rmSync(own, { recursive: true });
}, 300_000);
