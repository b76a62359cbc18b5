/** The threads of a worker process, for handlers that are registered by module: from its settings to the pool. */
import type { Settings } from '@spine/config';
import { ThreadPool } from '@spine/execution';
import type { Logger } from '@spine/observability';

/**
 * Starts no thread before a handler is called in one.
 *
 * @param deployed where the deployed code lies: the root of modules unless the settings name another.
 * @throws ConfigError naming the variable of a folder that is not there.
 */
export function openThreads(
  { worker, payloads }: Pick<Settings<'worker'>, 'worker' | 'payloads'>,
  deployed: string,
  logger: Logger,
): ThreadPool {
  const { count, memoryMb, root } = worker.threads;
  return new ThreadPool({
    root: root ?? deployed,
    rootName: root === undefined ? undefined : 'SPINE_WORKER_CODE_DIR',
    ...(count === undefined ? {} : { threads: count }),
    memoryMb,
    maxResultBytes: payloads.maxBytes,
    logger,
  });
}
