/**
 * Handlers in threads: for code that computes and cannot be asked to stop.
 *
 * 1. When the signal of an attempt is aborted, its thread is terminated, whatever it does, and another one takes its
 *    place for the next call. 2. The pool has at most `threads` calls under way; the others wait here, in order, and not
 *    in piscina, which would forget them when the thread they wait for is terminated. 3. A call never rejects: what goes
 *    wrong is the end of the attempt. 4. What a handler reported before it returned is recorded before its attempt ends.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { assertNever, ConfigError } from '@spine/core';
import { silentLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { AttemptEnd } from '../../policy/retry.ts';
import type { Handler, HandlerRegistry, IsolatedModule } from '../../registry/registry.ts';
import { AttemptAbortedError } from '../../worker/abort.ts';
import { inProcessCall, threw } from '../../worker/attempt-end.ts';
import type { HandlerCall } from '../../worker/attempt-end.ts';
import type { HandlerContext } from '../../worker/context.ts';
import { LIMITS } from '../../spec/limits.ts';
import { moduleUrl, realRoot } from './module-path.ts';
import { toThreadFault } from './thread-fault.ts';
import type { ThreadMessage, ThreadTask } from './thread-task.ts';
import { Turns } from './turns.ts';

export interface ThreadPoolOptions {
  /** The directory under which the modules of isolated handlers lie. */
  readonly root: string;
  /** What the root is called in errors, e.g. the name of a setting. */
  readonly rootName?: string | undefined;
  /** Calls at the same time. Default: one less than the machine's cores, at least one. */
  readonly threads?: number;
  /** Heap of one thread in MiB; a thread that needs more is ended. Default 512. */
  readonly memoryMb?: number;
  /** An idle thread ends after this. Default 10 s. */
  readonly idleMs?: number;
  readonly logger?: Logger;
  /** Bytes of JSON a result may have. Default LIMITS.payloadBytes. */
  readonly maxResultBytes?: number;
}

const DEFAULT_MEMORY_MB = 512;
const DEFAULT_IDLE_MS = 10_000;

/** Threads run sources where this process does, and the build otherwise. */
const FROM_SOURCE = import.meta.url.endsWith('.ts');
const THREAD_MAIN = new URL(`./thread-main.${FROM_SOURCE ? 'ts' : 'js'}`, import.meta.url).href;

export class ThreadPool {
  readonly #root: string;
  readonly #turns: Turns;
  readonly #memoryMb: number;
  readonly #maxResultBytes: number;
  readonly #callHere: HandlerCall;
  readonly #pool: Piscina<ThreadTask, AttemptEnd>;
  readonly #urls = new Map<IsolatedModule, string>();
  readonly #closing = new AbortController();

  /** @throws ConfigError for a root that is no directory, and for numbers below one. */
  constructor(options: ThreadPoolOptions) {
    const logger = options.logger ?? silentLogger();
    this.#root = realRoot(options.root, options.rootName);
    this.#memoryMb = atLeastOne('memoryMb', options.memoryMb ?? DEFAULT_MEMORY_MB);
    this.#maxResultBytes = options.maxResultBytes ?? LIMITS.payloadBytes;
    this.#callHere = inProcessCall(this.#maxResultBytes);
    this.#turns = new Turns(
      atLeastOne('threads', options.threads ?? Math.max(1, availableParallelism() - 1)),
    );
    this.#pool = new Piscina({
      minThreads: 0,
      maxThreads: this.#turns.total,
      idleTimeout: options.idleMs ?? DEFAULT_IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: this.#memoryMb },
      // Credentials live in the environment; a thread has no use for them.
      env: {},
      execArgv: FROM_SOURCE ? ['--conditions=@spine/source'] : [],
      recordTiming: false,
    });
    this.#pool.on('error', (error) => logger.warn({ err: error }, 'an idle thread failed'));
  }

  /** Calls at the same time at the most. */
  get threads(): number {
    return this.#turns.total;
  }

  /** Calls under way. */
  get busy(): number {
    return this.#turns.taken;
  }

  /** Calls that wait for a thread. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  /**
   * Loads the code of isolated handlers once, so that one that is not there fails the start and not a run.
   * @throws ConfigError naming the handler.
   */
  async check(handlers: readonly Handler[]): Promise<void> {
    for (const { key, isolated } of handlers) {
      if (isolated === null) continue;
      const target = { module: this.#urlOf(isolated), export: isolated.export };
      const end = await this.#inTurn(this.#closing.signal, () =>
        this.#pool.run({ type: 'probe', ...target }, { filename: THREAD_MAIN }),
      );
      if (end.type === 'threw') throw new ConfigError(`handler ${key}: ${end.error.message}`);
    }
  }

  /** Calls isolated handlers in a thread, the others in this process. */
  readonly call: HandlerCall = (handler, params, context) =>
    handler.isolated === null
      ? this.#callHere(handler, params, context)
      : this.run(handler.isolated, params, context);

  /** Calls one function in a thread; the context's signal terminates the thread. Rejects never. */
  async run(isolated: IsolatedModule, params: unknown, context: HandlerContext): Promise<AttemptEnd> {
    const { port1, port2 } = new MessageChannel();
    const reports = new Reports(context);
    port1.on('message', (message: ThreadMessage) => reports.take(message));
    try {
      const target = { module: this.#urlOf(isolated), export: isolated.export };
      const { run, traceparent } = context;
      const maxResultBytes = this.#maxResultBytes;
      const task: ThreadTask = {
        type: 'call',
        ...target,
        params,
        run,
        traceparent,
        maxResultBytes,
        port: port2,
      };
      const signal = AbortSignal.any([context.signal, this.#closing.signal]);
      const end = await this.#inTurn(signal, () =>
        this.#pool.run(task, { filename: THREAD_MAIN, transferList: [port2], signal }),
      );
      reports.takeAll(port1);
      await reports.recorded();
      return end;
    } catch (error) {
      return threw(error);
    } finally {
      port1.close();
    }
  }

  /** Terminates every thread. Calls under way end as failed, retryable. */
  async close(): Promise<void> {
    this.#closing.abort(new AttemptAbortedError('shutdown'));
    await this.#pool.destroy();
  }

  async #inTurn(signal: AbortSignal, call: () => Promise<AttemptEnd>): Promise<AttemptEnd> {
    if (!(await this.#turns.take(signal))) return threw(signal.reason);
    try {
      return await call();
    } catch (error) {
      return threw(signal.aborted ? signal.reason : toThreadFault(error, this.#memoryMb));
    } finally {
      this.#turns.giveBack();
    }
  }

  /** Looked for once: afterwards a moved link cannot lead elsewhere. */
  #urlOf(isolated: IsolatedModule): string {
    const known = this.#urls.get(isolated);
    if (known !== undefined) return known;
    const url = moduleUrl(this.#root, isolated);
    this.#urls.set(isolated, url);
    return url;
  }
}

/**
 * What a process that runs a registry's handlers checks at its start.
 * @throws ConfigError when isolated handlers have no pool, or one of them cannot be loaded.
 */
export async function checkIsolated(
  registry: HandlerRegistry,
  threads: ThreadPool | undefined,
): Promise<void> {
  const isolated = registry.handlers().filter((handler) => handler.isolated !== null);
  const [first] = isolated;
  if (first === undefined) return;
  if (threads === undefined)
    throw new ConfigError(`handler ${first.key} runs in a thread, and this worker has no thread pool`);
  await threads.check(isolated);
}

/** Passes on to a context what a thread reports. */
class Reports {
  readonly #context: HandlerContext;
  readonly #events: Promise<void>[] = [];

  constructor(context: HandlerContext) {
    this.#context = context;
  }

  take(message: ThreadMessage): void {
    switch (message.type) {
      case 'progress':
        this.#context.progress(message.fraction, message.message ?? undefined);
        return;
      case 'event': {
        const event = this.#context.event(message.eventType, fieldsOf(message.data));
        // Answered for by recorded(); a thread that is terminated has nobody who asks.
        event.catch(() => undefined);
        this.#events.push(event);
        return;
      }
      case 'log':
        this.#context.log[message.level](fieldsOf(message.fields), message.message);
        return;
      default:
        assertNever(message);
    }
  }

  /** What has been sent and not yet been delivered: the answer of the thread may overtake it. */
  takeAll(port: MessagePort): void {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: ThreadMessage } | undefined;
      if (received === undefined) return;
      this.take(received.message);
    }
  }

  /** @throws what the first event that was refused threw. */
  async recorded(): Promise<void> {
    await Promise.all(this.#events);
  }
}

function fieldsOf(json: string): Record<string, unknown> {
  return JSON.parse(json) as Record<string, unknown>;
}

function atLeastOne(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ConfigError(`${name} is ${value}; it must be an integer of at least 1`);
}
