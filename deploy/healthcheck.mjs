/**
 * Health of a container, for images without curl: `node deploy/healthcheck.mjs <url> [milliseconds]` exits with 0 when the
 * URL answers 200 within that time, by default 4 seconds, else with 1 and the reason.
 */
import { get } from 'node:http';

const [url = '', withinMs = '4000'] = process.argv.slice(2);

function end(exitCode, reason) {
  process.stdout.write(`${url}: ${reason}\n`);
  process.exit(exitCode);
}

get(url, { signal: AbortSignal.timeout(Number(withinMs)) }, ({ statusCode }) => {
  end(statusCode === 200 ? 0 : 1, `answered ${statusCode}`);
}).on('error', (error) => end(1, error.message || error.code));
