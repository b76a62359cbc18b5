#!/usr/bin/env node
// Plain JavaScript that also an old Node understands: it finds a newer one, or says what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isOld = major < 22 || (major === 22 && minor < 12);
const main = new URL('../dist/main.js', import.meta.url);
// The one that the install brings on some platforms.
const installed = fileURLToPath(new URL('../../../node_modules/.bin/node', import.meta.url));

if (!existsSync(main)) {
  process.stderr.write('spine is not built yet: run `npm start` once, or `npm run build`\n');
  process.exit(1);
} else if (!isOld) {
  await import(main.href);
} else if (existsSync(installed)) {
  const child = spawn(installed, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; it must not come twice.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
} else {
  process.stderr.write(
    `spine needs Node 22.12 or newer; this is Node ${process.versions.node}. ` +
      'Install one from https://nodejs.org (or "nvm install 24").\n',
  );
  process.exit(1);
}
