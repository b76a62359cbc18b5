import { startEmbeddedPostgres } from '@spine/database/embedded';
import { runMigrations } from '@spine/database';
const server = await startEmbeddedPostgres({ dataDir: '/tmp/apibench-pg/data', durable: true });
await runMigrations({ connectionString: server.connectionString });
console.log(server.connectionString);
process.on('SIGTERM', async () => { await server.stop(); process.exit(0); });
setInterval(()=>{}, 1e6);
