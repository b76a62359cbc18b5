import { describe, expect, it } from 'vitest';
import { validateComponentCombination } from './components.ts';
import type { Components } from './components.ts';
import { loadSettings } from './settings.ts';

const FITTING: Components = {
  role: 'launcher',
  tier: 'full',
  database: 'postgres',
  redis: true,
  eventBus: 'auto',
  workers: 2,
  dataDir: '/p/.spine',
  dataRoots: ['/p/data'],
  payloadDir: '/p/payloads',
  backupDir: '/p/backups',
  secretsDir: '/run/secrets',
  vault: { address: 'https://vault.example.org', token: true },
};

describe('components', () => {
  it('that fit together give nothing to say', () => {
    expect(validateComponentCombination(FITTING)).toEqual([]);
  });

  it.each<[string, 'error' | 'warning', Partial<Components>]>([
    ['tier_without_database', 'error', { database: 'embedded' }],
    ['tier_without_database', 'error', { tier: 'standard', database: 'embedded' }],
    ['tier_without_redis', 'error', { redis: false }],
    ['event_bus_without_redis', 'error', { tier: 'minimal', eventBus: 'redis', redis: false }],
    ['event_bus_in_memory', 'warning', { eventBus: 'memory' }],
    ['no_workers', 'warning', { workers: 0 }],
    ['data_root_too_wide', 'warning', { dataRoots: ['/other', '/p'] }],
    ['data_root_too_wide', 'warning', { dataRoots: ['/p/.spine'] }],
    ['data_root_too_wide', 'warning', { dataRoots: ['/run'] }],
    ['data_root_too_wide', 'warning', { backupDir: '/p/data/backups' }],
    ['vault_without_token', 'error', { vault: { address: 'https://v', token: false } }],
    ['vault_without_address', 'warning', { vault: { address: undefined, token: true } }],
    ['vault_in_clear', 'warning', { vault: { address: 'http://vault.example.org', token: true } }],
  ])('%s is an %s that says what to set', (code, severity, change) => {
    const findings = validateComponentCombination({ ...FITTING, ...change });
    expect(new Set(findings.map((finding) => finding.code))).toEqual(new Set([code]));
    for (const finding of findings) {
      expect(finding.severity).toBe(severity);
      expect(finding.fix).toMatch(/SPINE_|worker/);
    }
  });

  it.each<[string, Partial<Components>]>([
    ['a worker, which starts none, without workers', { role: 'worker', workers: 0 }],
    ['a data root beside the data folder', { dataRoots: ['/p/.spine2', '/p/.spin'] }],
    ['a Vault on this machine', { vault: { address: 'http://[::1]:8200', token: true } }],
    ['the smallest tier', { tier: 'minimal', database: 'embedded', redis: false }],
    ['a tier of one’s own', { tier: 'dev', database: 'embedded', redis: false }],
  ])('of %s fit', (_what, change) => {
    expect(validateComponentCombination({ ...FITTING, ...change })).toEqual([]);
  });

  it('stop a process with their errors and start it with their warnings', () => {
    expect(() => loadSettings({ SPINE_TIER: 'full' }, { role: 'launcher' })).toThrow(
      'tier full needs a Postgres of its own, and the embedded one would be used; set SPINE_DATABASE_URL, or SPINE_TIER=minimal',
    );
    expect(() => loadSettings({ SPINE_EVENT_BUS: 'redis' }, { role: 'launcher' })).toThrow(
      'set SPINE_REDIS_URL',
    );
    const { warnings } = loadSettings({ SPINE_WORKERS: '0' }, { role: 'launcher' });
    expect(warnings).toEqual([expect.stringContaining('set SPINE_WORKERS=1')]);
  });
});
