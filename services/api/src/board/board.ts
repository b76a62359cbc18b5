/**
 * Bull Board: the hints as the queue holds them, for people.
 *
 * Read only: its buttons would retry, add or delete hints, and a hint decides nothing. Runs are cancelled and retried
 * through the API.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter as BoardAdapter } from '@bull-board/fastify';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { BullHintQueue } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { HttpProblem } from '../http/problem.ts';
import { toProblem } from '../http/to-problem.ts';

export const BOARD_PATH = '/admin/queues';

/** Longest wait for the queue. */
const TIMEOUT_MS = 3_000;

type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

/** The board's types know BullMQ on Redis alone; its code reads both. */
function isBoardQueue(queue: object): queue is BoardQueue {
  return 'getJobCounts' in queue && 'qualifiedName' in queue;
}

function lanesOf(engine: Engine, lanes: readonly string[]): BullMQAdapter[] {
  const { queue } = engine;
  if (!(queue instanceof BullHintQueue)) return [];
  return lanes
    .map((lane) => queue.queue(lane))
    .filter(isBoardQueue)
    .map((lane) => new BullMQAdapter(lane, { readOnlyMode: true }));
}

/** Registers the board; before the server listens. A queue that is not BullMQ shows no lanes. */
export async function mountBoard(
  server: FastifyAdapter,
  engine: Engine,
  lanes: readonly string[],
): Promise<void> {
  const board = new BoardAdapter().setBasePath(BOARD_PATH);
  createBullBoard({
    queues: lanesOf(engine, lanes),
    serverAdapter: board,
    options: { uiConfig: { boardTitle: 'Spine queues' } },
  });
  // The board's own handler passes messages, and in development stacks, on to the client. What this one throws goes to
  // the handler of all requests.
  board.setErrorHandler((error) => {
    if (toProblem(error).code !== 'INTERNAL') throw error;
    throw new HttpProblem('UNAVAILABLE', 'the queue does not answer', { cause: error });
  });
  await server.getInstance().register(
    async (scope) => {
      // BullMQ waits without bound for a queue that is away.
      scope.addHook('onRoute', (route) => {
        route.handlerTimeout = TIMEOUT_MS;
      });
      await scope.register(board.registerPlugin());
    },
    { prefix: BOARD_PATH },
  );
}
