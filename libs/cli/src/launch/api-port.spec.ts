import { ConfigError } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { chooseApiPort, type PortProbes } from './api-port.ts';

function withTaken(...taken: number[]): PortProbes {
  return {
    isPortFree: (port) => Promise.resolve(!taken.includes(port)),
    anyFreePort: () => Promise.resolve(40_000),
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('chooseApiPort', () => {
  it('takes the wished port when it is free', async () => {
    const choice = await chooseApiPort({ host: '127.0.0.1', port: 3000, explicit: false }, withTaken());
    expect(choice).toEqual({ port: 3000, note: undefined });
  });

  it('takes any free port for 0', async () => {
    const choice = await chooseApiPort({ host: '127.0.0.1', port: 0, explicit: true }, withTaken());
    expect(choice).toEqual({ port: 40_000, note: undefined });
  });

  it('goes on to the next free port and says so', async () => {
    const choice = await chooseApiPort({ host: 'h', port: 3000, explicit: false }, withTaken(3000, 3001));
    expect(choice.port).toBe(3002);
    expect(choice.note).toContain('port 3000 is in use, taking 3002');
  });

  it('does not replace a port that the user named', async () => {
    const attempt = chooseApiPort({ host: '127.0.0.1', port: 3000, explicit: true }, withTaken(3000));
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(
      /SPINE_PORT: port 3000 of 127\.0\.0\.1 is in use.*SPINE_PORT=3001/s,
    );
  });

  it('gives up 20 ports further', async () => {
    const wish = { host: 'h', port: 3000, explicit: false };
    const last = await chooseApiPort(wish, withTaken(...range(3000, 3019)));
    expect(last.port).toBe(3020);
    await expect(chooseApiPort(wish, withTaken(...range(3000, 3020)))).rejects.toThrow(
      /3000 to 3020.*all in use/,
    );
  });

  it('does not look beyond the last port', async () => {
    const wish = { host: 'h', port: 65_530, explicit: false };
    await expect(chooseApiPort(wish, withTaken(...range(65_530, 65_535)))).rejects.toThrow(ConfigError);
  });
});
