import { ErrorCategory, SpineError, toError, ValidationError } from '@spine/core';

/**
 * What it means when a thread ends instead of answering. Retryable, but for params that no thread can be given: the
 * thread has served others before, and what broke it may be theirs.
 */
export function toThreadFault(thrown: unknown, memoryMb: number): Error {
  const error = toError(thrown);
  const code: unknown = Reflect.get(error, 'code');
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new SpineError(`the thread needed more than its ${memoryMb} MiB of memory`, {
      category: ErrorCategory.RESOURCE,
      retryable: true,
      cause: error,
    });
  }
  if (error.name === 'DataCloneError') {
    return new ValidationError(`the params cannot be given to a thread: ${error.message}`, { cause: error });
  }
  if (/^worker exited with code/.test(error.message)) {
    return new SpineError(`the thread ended by itself: ${error.message}`, { retryable: true, cause: error });
  }
  return error;
}
