import { describe, expect, it } from 'vitest';
import { renderLine, renderSpinner, StageReporter } from './stages.ts';

function recorder(isTTY: boolean) {
  let text = '';
  return {
    isTTY,
    columns: 40,
    write: (chunk: string) => (text += chunk),
    get text() {
      return text;
    },
  };
}

describe('lines', () => {
  it('align the stages and show the time', () => {
    expect(renderLine('done', 'api', 'http://127.0.0.1:3000', 1234)).toBe(
      '✓ api        http://127.0.0.1:3000 (1.2 s)',
    );
    expect(renderLine('failed', 'scheduler', 'failed', 0)).toBe('✗ scheduler  failed (0.0 s)');
    expect(renderLine('note', 'postgres', '')).toBe('· postgres');
  });

  it('cut the spinner’s line below the terminal’s width', () => {
    expect(renderSpinner(0, 'postgres', 61_500)).toBe('⠋ postgres   61 s');
    expect(renderSpinner(3, 'postgres', 61_500, 10)).toHaveLength(9);
    expect(renderSpinner(10, 'api', 0).charAt(0)).toBe('⠋');
  });
});

describe('StageReporter', () => {
  it('writes one line per stage, with the time it took', async () => {
    const out = recorder(false);
    let now = 0;
    const reporter = new StageReporter(out, () => now);
    const result = await reporter.run(
      'migrate',
      (say) => {
        say('applying 0001');
        now += 2_000;
        return Promise.resolve(3);
      },
      (count) => `${count} applied`,
    );
    expect(result).toBe(3);
    expect(out.text).toBe('· migrate    applying 0001\n✓ migrate    3 applied (2.0 s)\n');
  });

  it('marks the stage that failed and passes the error on', async () => {
    const out = recorder(false);
    const reporter = new StageReporter(out, () => 0);
    const failure = new Error('no disk');
    await expect(
      reporter.run(
        'postgres',
        () => Promise.reject(failure),
        () => '',
      ),
    ).rejects.toBe(failure);
    expect(out.text).toBe('✗ postgres   failed (0.0 s)\n');
  });

  it('clears the spinner’s line on a terminal before it writes', async () => {
    const out = recorder(true);
    await new StageReporter(out, () => 0).run(
      'api',
      () => Promise.resolve(),
      () => 'up',
    );
    expect(out.text).toBe('\r\x1b[2K✓ api        up (0.0 s)\n');
  });
});
