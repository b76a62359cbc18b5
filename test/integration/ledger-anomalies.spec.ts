import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { AnomalyRecorder, getAnomaly, hasCritical, listAnomalies, recordAnomaly } from '@spine/database';
import type { AnomalyFilter, NewAnomaly } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
afterAll(() => base.close());

const BROKEN = { severity: 'ERROR', category: 'DATA_QUALITY', message: 'broken' } as const;
const recorder = (domain: string, runId: string | null = null) =>
  new AnomalyRecorder({ db: base.db, domain, runId, batchId: 'b' });

describe('an anomaly', () => {
  it('is recorded with all it was told, and says who hears of it', async () => {
    const runId = newId();
    const { anomaly, route } = await recorder('record', runId).record({
      stage: 'INGESTED',
      partitionKey: { week: '2025-12-26' },
      severity: 'CRITICAL',
      category: 'QUALITY_GATE',
      message: 'null rate 35% exceeds 25%',
      metadata: { null_rate: '0.35' },
    });
    expect(route).toEqual({ action: 'page', owner: 'data quality', needsResolution: true });
    expect(await getAnomaly(base.db, anomaly.anomalyId)).toEqual(anomaly);
    expect(anomaly).toMatchObject({
      domain: 'record',
      stage: 'INGESTED',
      partitionKey: { week: '2025-12-26' },
      severity: 'CRITICAL',
      category: 'QUALITY_GATE',
      message: 'null rate 35% exceeds 25%',
      metadata: { null_rate: '0.35' },
      runId,
      batchId: 'b',
      resolvedAt: null,
      resolvedBy: null,
      resolutionNote: null,
    });
  });

  it('commits and rolls back with the caller', async () => {
    const outcome = base.db.transaction().execute(async (trx) => {
      await recordAnomaly(trx, { ...BROKEN, domain: 'rolled back' });
      throw new Error('never mind');
    });
    await expect(outcome).rejects.toThrow('never mind');
    expect((await recorder('rolled back').listUnresolved()).items).toEqual([]);
  });

  it('is stored whatever its texts hold', async () => {
    const { anomaly } = await recorder('texts').record({
      ...BROKEN,
      message: `a\0b${'x'.repeat(9_000)}`,
      metadata: { nul: '\0', lone: '\uD800', fn: () => 1, big: 10n },
    });
    expect(anomaly.message).toHaveLength(4_000);
    expect(anomaly.message.startsWith('a\uFFFDb')).toBe(true);
    expect(anomaly.metadata).toMatchObject({ nul: '\uFFFD', lone: '\uFFFD' });
  });

  it('is resolved once: of many one wins, and the others hear who did', async () => {
    const { anomaly } = await recorder('resolve').record(BROKEN);
    const names = ['ann', 'bob', 'eve'];
    const outcomes = await Promise.all(
      names.map((by) => recorder('resolve').resolve(anomaly.anomalyId, by, `by ${by}`)),
    );
    const won = outcomes.filter((outcome) => outcome.type === 'resolved');
    expect(won).toHaveLength(1);
    const winner = won[0]?.anomaly;
    expect(names).toContain(winner?.resolvedBy);
    for (const outcome of outcomes) {
      if (outcome.type !== 'resolved') expect(outcome).toEqual({ type: 'already_resolved', anomaly: winner });
    }
    expect(winner).toMatchObject({ resolutionNote: `by ${winner?.resolvedBy}` });
    expect(winner?.resolvedAt).toBeInstanceOf(Date);
    expect(await recorder('resolve').resolve(anomaly.anomalyId, 'late')).toMatchObject({
      type: 'already_resolved',
      anomaly: winner,
    });
    expect((await recorder('resolve').listUnresolved()).items).toEqual([]);
    expect(await getAnomaly(base.db, anomaly.anomalyId)).toEqual(winner);
  });

  it('that is not there, or is resolved by nobody, is refused', async () => {
    expect(await recorder('x').resolve(newId(), 'ann')).toEqual({ type: 'not_found' });
    const { anomaly } = await recorder('nobody').record(BROKEN);
    await expect(recorder('nobody').resolve(anomaly.anomalyId, '')).rejects.toThrow(
      'by: an anomaly is resolved',
    );
  });

  it('is never deleted or changed: not by the services, not by the owner', async () => {
    const { anomaly } = await recorder('kept').record(BROKEN);
    const id = [anomaly.anomalyId];
    const denied = { code: '42501' };
    const services = base.pool;
    await expect(services.query('DELETE FROM anomalies WHERE id = $1', id)).rejects.toMatchObject(denied);
    await expect(
      services.query(`UPDATE anomalies SET severity = 'INFO' WHERE id = $1`, id),
    ).rejects.toMatchObject(denied);
    await expect(base.admin.query('DELETE FROM anomalies WHERE id = $1', id)).rejects.toThrow(
      'anomalies is append only',
    );
    const refused = `anomaly ${anomaly.anomalyId} may be resolved once and not be changed`;
    const change = (set: string) => base.admin.query(`UPDATE anomalies SET ${set} WHERE id = $1`, id);
    await expect(change(`severity = 'INFO'`)).rejects.toThrow(refused);
    await expect(change(`resolved_at = now(), resolved_by = 'x', message = 'other'`)).rejects.toThrow(
      refused,
    );
    await recorder('kept').resolve(anomaly.anomalyId, 'ann');
    await expect(change(`resolved_by = 'bob'`)).rejects.toThrow(refused);
    await expect(change('resolved_at = NULL, resolved_by = NULL')).rejects.toThrow(refused);
  });
});

describe('a critical anomaly', () => {
  it('stands against its partition, or against all of its domain, until it is resolved', async () => {
    const [one, two] = [{ no: 1 }, { no: 2 }];
    const domain = 'critical';
    const critical = { severity: 'CRITICAL', category: 'UNKNOWN', message: 'help' } as const;
    const standing = () => Promise.all([one, two].map((key) => hasCritical(base.db, domain, key)));
    await recorder(domain).record({ ...BROKEN, partitionKey: one });
    await recorder('another').record({ ...critical, partitionKey: one });
    expect(await standing()).toEqual([false, false]);
    const { anomaly: ofOne } = await recorder(domain).record({ ...critical, partitionKey: one });
    expect(await standing()).toEqual([true, false]);
    const { anomaly: ofAll } = await recorder(domain).record(critical);
    expect(await standing()).toEqual([true, true]);
    await recorder(domain).resolve(ofAll.anomalyId, 'ann');
    expect(await standing()).toEqual([true, false]);
    await recorder(domain).resolve(ofOne.anomalyId, 'ann');
    expect(await standing()).toEqual([false, false]);
    expect(await recorder(domain).hasCritical(one)).toBe(false);
  });
});

describe('the list', () => {
  it('is newest first, and finds by every field', async () => {
    const runId = newId();
    const domain = 'list';
    const add = async (more: Partial<NewAnomaly>) =>
      (await recordAnomaly(base.db, { ...BROKEN, domain, ...more })).anomalyId;
    const plain = await add({});
    const staged = await add({ stage: 'S', partitionKey: { no: 1 }, runId });
    const warned = await add({ severity: 'WARN', category: 'TIMEOUT' });
    const closed = await add({});
    await recorder(domain).resolve(closed, 'ann');
    const find = async (filter: AnomalyFilter) => {
      const page = await listAnomalies(base.db, { domain, ...filter }, { limit: 10 });
      expect(page.total).toBe(page.items.length);
      return page.items.map(({ anomalyId }) => anomalyId);
    };
    expect(await find({})).toEqual([closed, warned, staged, plain]);
    expect(await find({ resolved: true })).toEqual([closed]);
    expect(await find({ resolved: false })).toEqual([warned, staged, plain]);
    expect(await find({ severity: 'WARN' })).toEqual([warned]);
    expect(await find({ category: 'TIMEOUT' })).toEqual([warned]);
    expect(await find({ stage: 'S' })).toEqual([staged]);
    expect(await find({ partitionKey: { no: 1 } })).toEqual([staged]);
    expect(await find({ runId })).toEqual([staged]);
    expect(await find({ since: new Date(Date.now() + 3_600_000) })).toEqual([]);
    expect(await find({ until: new Date(Date.now() + 3_600_000) })).toHaveLength(4);

    const first = await listAnomalies(base.db, { domain }, { limit: 3 });
    expect(first).toMatchObject({ hasMore: true, total: 4, totalIsCapped: false });
    const rest = await listAnomalies(base.db, { domain }, { limit: 3, before: staged });
    expect(rest.items.map(({ anomalyId }) => anomalyId)).toEqual([plain]);
    expect(rest.hasMore).toBe(false);
  });
});
