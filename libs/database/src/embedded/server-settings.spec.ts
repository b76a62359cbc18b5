import { describe, expect, it } from 'vitest';
import { EmbeddedPostgresError } from './errors.ts';
import { renderServerSettings } from './server-settings.ts';

const render = (durable: boolean, extra: Record<string, string> = {}) =>
  renderServerSettings({ port: 5433, durable, extra }).split('\n');

describe('renderServerSettings', () => {
  it('turns all three durability settings on or off together', () => {
    for (const name of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      expect(render(true)).toContain(`${name} = 'on'`);
      expect(render(false)).toContain(`${name} = 'off'`);
    }
  });

  it('lets extra settings replace defaults, but not durability, port or address', () => {
    const lines = render(true, {
      max_connections: '50',
      fsync: 'off',
      port: '1',
      listen_addresses: '*',
      'pg_stat_statements.max': '100',
    });
    expect(lines).toContain("max_connections = '50'");
    expect(lines).toContain("fsync = 'on'");
    expect(lines).toContain("port = '5433'");
    expect(lines).toContain("listen_addresses = '127.0.0.1'");
    expect(lines).toContain("pg_stat_statements.max = '100'");
  });

  it('quotes values', () => {
    expect(render(true, { log_line_prefix: "it's \\ %m" })).toContain("log_line_prefix = 'it''s \\\\ %m'");
  });

  it.each([
    ['work mem', '1MB'],
    ["x = 'y'\nfsync", 'off'],
    ['', 'x'],
    ['work_mem', '1MB\nfsync = off'],
    ['work_mem', '1MB\0'],
  ])('refuses %j = %j', (name, value) => {
    expect(() => render(true, { [name]: value })).toThrow(EmbeddedPostgresError);
  });
});
