/** For other programs that run a worker; `main.ts` is the service itself. */
export { startWorker } from './start-worker.ts';
