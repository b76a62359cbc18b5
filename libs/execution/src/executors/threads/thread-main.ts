/**
 * The code of a thread: finds the function it is told, calls it, and answers with the attempt's end as plain data, so
 * that category and retryability of an error survive the way.
 */
import type { MessagePort } from 'node:worker_threads';
import { ConfigError, ValidationError } from '@spine/core';
import { endOfCall } from '../../worker/attempt-end.ts';
import { RunDeferredError } from '../../worker/defer.ts';
import type { Eventually } from '../../worker/eventually.ts';
import { PROGRESS_INTERVAL_MS } from '../../worker/progress.ts';
import type { AttemptEnd } from '../../policy/retry.ts';
import { LOG_LEVELS } from './thread-task.ts';
import type { IsolatedContext, IsolatedLog, LogLevel, ThreadMessage, ThreadTask } from './thread-task.ts';

type IsolatedFunction = (params: unknown, context: IsolatedContext) => unknown;

export default function runTask(task: ThreadTask): Eventually<AttemptEnd> {
  return endOfCall(
    async () => {
      const found = await load(task);
      return task.type === 'probe' ? null : found(task.params, contextOf(task));
    },
    task.type === 'probe' ? undefined : task.maxResultBytes,
  );
}

async function load({ module, export: name }: ThreadTask): Promise<IsolatedFunction> {
  const loaded: unknown = await import(module);
  const found: unknown =
    typeof loaded === 'object' && loaded !== null && Object.hasOwn(loaded, name)
      ? Reflect.get(loaded, name)
      : undefined;
  if (typeof found === 'function') return found as IsolatedFunction;
  throw new ConfigError(`module ${module} exports no function ${JSON.stringify(name)}`);
}

function contextOf({ run, traceparent, port }: ThreadTask & { readonly type: 'call' }): IsolatedContext {
  let progressAt = -Infinity;
  return {
    run,
    traceparent,
    log: logTo(port),
    progress: (fraction, message) => {
      // Kept here as well: a loop that reports every step would fill the port.
      const now = performance.now();
      if (now - progressAt < PROGRESS_INTERVAL_MS && fraction < 1) return;
      progressAt = now;
      post(port, { type: 'progress', fraction, message: message ?? null });
    },
    defer: (seconds, reason) => {
      throw new RunDeferredError(seconds * 1_000, reason);
    },
    event: (type, data = {}) => {
      const text: string | undefined = JSON.stringify(data);
      if (text === undefined) throw new ValidationError(`the data of event ${type} is not JSON`);
      post(port, { type: 'event', eventType: type, data: text });
    },
  };
}

function logTo(port: MessagePort): IsolatedLog {
  const at =
    (level: LogLevel): IsolatedLog[LogLevel] =>
    (fields, message) => {
      const text = typeof fields === 'string' ? fields : (message ?? '');
      post(port, {
        type: 'log',
        level,
        fields: typeof fields === 'string' ? '{}' : jsonOf(fields),
        message: text,
      });
    };
  return Object.fromEntries(LOG_LEVELS.map((level) => [level, at(level)])) as IsolatedLog;
}

/** A log line never fails a handler. Of what has no JSON, such as undefined, nothing is kept. */
function jsonOf(fields: Readonly<Record<string, unknown>>): string {
  try {
    const text: string | undefined = JSON.stringify(fields);
    return text ?? '{}';
  } catch {
    return '{}';
  }
}

function post(port: MessagePort, message: ThreadMessage): void {
  port.postMessage(message);
}
