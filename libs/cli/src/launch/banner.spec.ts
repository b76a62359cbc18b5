import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { renderBanner, visitUrl, type BannerFacts } from './banner.ts';

const facts: BannerFacts = {
  url: 'http://127.0.0.1:3000',
  open: true,
  workers: 2,
  queue: 'Postgres',
  dataDir: '/p/.spine',
  databaseDir: undefined,
  logDir: '/p/.spine/logs',
  finraFile: "/p/it's/week.csv",
  elapsedMs: 12_345,
};

/** The words a shell makes of the lines that begin with curl. */
function curlWords(banner: string): string[][] {
  return banner
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('curl '))
    .map((line) =>
      execFileSync('sh', ['-c', `set -- ${line}; printf '%s\\n' "$@"`], { encoding: 'utf8' })
        .trimEnd()
        .split('\n'),
    );
}

describe('the banner', () => {
  it('shows every address and the mode', () => {
    const text = renderBanner(facts);
    for (const part of [
      'ready (12.3 s)',
      ' http://127.0.0.1:3000\n',
      'http://127.0.0.1:3000/docs',
      'http://127.0.0.1:3000/admin/queues',
      'open (local mode)',
      '2 workers, queue on Postgres',
      '/p/.spine\n',
      '/p/.spine/logs',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('tells where commands have to look, when it is not where they do', () => {
    expect(renderBanner({ ...facts, url: 'http://127.0.0.1:3001' })).toContain(
      ' export SPINE_URL=http://127.0.0.1:3001\n',
    );
    expect(renderBanner(facts)).not.toContain('SPINE_URL');
  });

  it('gives curl lines that a shell reads as meant, whatever the file is called', () => {
    const [hello, finra] = curlWords(renderBanner(facts));
    expect(hello?.slice(0, 3)).toEqual(['curl', '-s', 'http://127.0.0.1:3000/api/v1/runs']);
    expect(JSON.parse(hello?.at(-1) ?? '')).toEqual({
      kind: 'task',
      name: 'echo',
      params: { message: 'hello' },
    });
    expect(JSON.parse(finra?.at(-1) ?? '')).toEqual({
      kind: 'operation',
      name: 'finra.otc_transparency.ingest_week',
      params: { file_path: "/p/it's/week.csv" },
    });
  });

  it('mentions the key without knowing it, and leaves out what there is not', () => {
    const text = renderBanner({
      ...facts,
      open: false,
      finraFile: undefined,
      databaseDir: '/var/lib/spine/x/postgres',
    });
    expect(text).toContain('authorization: Bearer $SPINE_API_KEY');
    expect(text).toContain('with a key of SPINE_API_KEYS');
    expect(text).not.toContain('local mode');
    expect(text).not.toContain('finra');
    expect(text).toContain('/var/lib/spine/x/postgres');
  });
});

describe('visitUrl', () => {
  it.each([
    ['127.0.0.1', 'http://127.0.0.1:80'],
    ['0.0.0.0', 'http://127.0.0.1:80'],
    ['::', 'http://[::1]:80'],
    ['fe80::1', 'http://[fe80::1]:80'],
    ['localhost', 'http://localhost:80'],
  ])('%s', (host, url) => {
    expect(visitUrl(host, 80)).toBe(url);
  });
});
