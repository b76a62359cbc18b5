import autocannon from 'autocannon';
const body = JSON.stringify({ kind: 'task', name: 'echo', params: { n: 1, hello: 'world' } });
const r = await autocannon({ url: 'http://127.0.0.1:3999' + (process.env.B_PATH ?? '/api/v1/runs'), method: process.env.B_METHOD ?? 'POST', connections: 64, duration: Number(process.env.B_S ?? 10), pipelining: 1, headers: { 'content-type': 'application/json' }, ...(process.env.B_METHOD === 'GET' ? {} : { body }) });
console.log(`${r.requests.average}/s total=${r.requests.total} 2xx=${r['2xx']} non2xx=${r.non2xx} errors=${r.errors} p50=${r.latency.p50} p99=${r.latency.p99}`);
