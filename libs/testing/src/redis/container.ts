import { anyFreePort } from '@spine/database/embedded';
import { TestInfrastructureError } from '../errors.ts';
import type { RedisServer } from './server.ts';

const IMAGE = 'redis:7';
const OUTPUT_TAIL = 2_000;

/**
 * A Redis server in a container, for machines with a container engine and no Redis program. The engine removes it when
 * this process ends without stopping it (testcontainers' reaper).
 *
 * @throws TestInfrastructureError when the engine cannot start it.
 */
export async function startRedisContainer(args: readonly string[]): Promise<RedisServer> {
  // Loading it takes most of a second, which only machines without a Redis program should pay.
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers');
  // A port the engine chooses would change at every restart.
  const port = await anyFreePort();
  let output = '';
  const started = await new GenericContainer(IMAGE)
    .withCommand(['redis-server', '--save', '', '--appendonly', 'no', '--databases', '64', ...args])
    .withExposedPorts({ container: 6379, host: port })
    .withLogConsumer((log) => {
      log.on('data', (chunk: Buffer | string) => (output = (output + String(chunk)).slice(-OUTPUT_TAIL)));
    })
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start()
    .catch((error: unknown) => {
      throw new TestInfrastructureError(
        `the container engine could not start ${IMAGE}: ${String(error)}\n${output}`,
        {
          cause: error,
        },
      );
    });
  const client = await getContainerRuntimeClient();
  const container = client.container.getById(started.getId());

  const kill = async (): Promise<void> => {
    const { State: state } = await container.inspect();
    if (!state.Running) return;
    // The engine refuses to kill what it froze.
    if (state.Paused) await container.unpause();
    await container.kill({ signal: 'SIGKILL' });
    await container.wait({ condition: 'not-running' });
  };
  let stopping: Promise<unknown> | undefined;
  return {
    url: `redis://${started.getHost()}:${port}`,
    port,
    pid: undefined,
    kill,
    pause: () => container.pause(),
    resume: () => container.unpause(),
    restart: async () => {
      await kill();
      await started.restart();
    },
    stop: async () => {
      stopping ??= kill().then(() => started.stop({ timeout: 0 }));
      await stopping;
    },
  };
}
