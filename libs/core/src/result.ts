import { toError } from './errors/error-info.ts';
import { InvariantError } from './errors/permanent.ts';

/**
 * An outcome as a value: `Ok` with what was wanted or `Err` with what went wrong. Narrow with `isOk()`,
 * `isErr()` or the `ok` field, or leave the branching to `match`. Functions that return a Result do not throw
 * for the failures their error type names.
 */
export type Result<T, E> = Ok<T, E> | Err<T, E>;

/** What Ok and Err share. Both sides declare both type parameters so that methods can be called on the union. */
interface Outcome<T, E> {
  isOk(): this is Ok<T, E>;
  isErr(): this is Err<T, E>;
  /** The value through `fn`; an error stays as it is. */
  map<U>(fn: (value: T) => U): Result<U, E>;
  /** The error through `fn`; a value stays as it is. */
  mapErr<F>(fn: (error: E) => F): Result<T, F>;
  /** The next step that may fail itself; not called after an error. */
  flatMap<U, F>(fn: (value: T) => Result<U, F>): Result<U, E | F>;
  /** The same as `flatMap`. */
  andThen<U, F>(fn: (value: T) => Result<U, F>): Result<U, E | F>;
  /** The recovery from an error; not called for a value. */
  orElse<U, F>(fn: (error: E) => Result<U, F>): Result<T | U, F>;
  /** The value; throws the error (an `InvariantError` with it as cause when it is not an Error). */
  unwrap(): T;
  unwrapOr<U>(fallback: U): T | U;
  /** Calls `fn` with the value, for its side effect, and returns this same result. */
  inspect(fn: (value: T) => void): Result<T, E>;
  /** Calls `fn` with the error, for its side effect, and returns this same result. */
  inspectErr(fn: (error: E) => void): Result<T, E>;
  match<A, B>(cases: { readonly ok: (value: T) => A; readonly err: (error: E) => B }): A | B;
}

export class Ok<T, E = never> implements Outcome<T, E> {
  readonly ok = true;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
    Object.freeze(this);
  }

  isOk(): this is Ok<T, E> {
    return true;
  }
  isErr(): this is Err<T, E> {
    return false;
  }
  map<U>(fn: (value: T) => U): Result<U, E> {
    return new Ok(fn(this.value));
  }
  mapErr<F>(_fn: (error: E) => F): Result<T, F> {
    return new Ok(this.value);
  }
  flatMap<U, F>(fn: (value: T) => Result<U, F>): Result<U, E | F> {
    return fn(this.value);
  }
  andThen<U, F>(fn: (value: T) => Result<U, F>): Result<U, E | F> {
    return fn(this.value);
  }
  orElse<U, F>(_fn: (error: E) => Result<U, F>): Result<T | U, F> {
    return new Ok(this.value);
  }
  unwrap(): T {
    return this.value;
  }
  unwrapOr<U>(_fallback: U): T | U {
    return this.value;
  }
  inspect(fn: (value: T) => void): Result<T, E> {
    fn(this.value);
    return this;
  }
  inspectErr(_fn: (error: E) => void): Result<T, E> {
    return this;
  }
  match<A, B>(cases: { readonly ok: (value: T) => A; readonly err: (error: E) => B }): A | B {
    return cases.ok(this.value);
  }
}

export class Err<T, E> implements Outcome<T, E> {
  readonly ok = false;
  readonly error: E;

  constructor(error: E) {
    this.error = error;
    Object.freeze(this);
  }

  isOk(): this is Ok<T, E> {
    return false;
  }
  isErr(): this is Err<T, E> {
    return true;
  }
  map<U>(_fn: (value: T) => U): Result<U, E> {
    return new Err(this.error);
  }
  mapErr<F>(fn: (error: E) => F): Result<T, F> {
    return new Err(fn(this.error));
  }
  flatMap<U, F>(_fn: (value: T) => Result<U, F>): Result<U, E | F> {
    return new Err(this.error);
  }
  andThen<U, F>(_fn: (value: T) => Result<U, F>): Result<U, E | F> {
    return new Err(this.error);
  }
  orElse<U, F>(fn: (error: E) => Result<U, F>): Result<T | U, F> {
    return fn(this.error);
  }
  unwrap(): T {
    if (this.error instanceof Error) throw this.error;
    throw new InvariantError('unwrap() was called on an Err', { cause: this.error });
  }
  unwrapOr<U>(fallback: U): T | U {
    return fallback;
  }
  inspect(_fn: (value: T) => void): Result<T, E> {
    return this;
  }
  inspectErr(fn: (error: E) => void): Result<T, E> {
    fn(this.error);
    return this;
  }
  match<A, B>(cases: { readonly ok: (value: T) => A; readonly err: (error: E) => B }): A | B {
    return cases.err(this.error);
  }
}

export function ok<T>(value: T): Ok<T> {
  return new Ok(value);
}

export function err<E>(error: E): Err<never, E> {
  return new Err(error);
}

/** All values in order, or the first error. */
export function collect<T, E>(results: Iterable<Result<T, E>>): Result<T[], E> {
  const values: T[] = [];
  for (const result of results) {
    if (!result.ok) return new Err(result.error);
    values.push(result.value);
  }
  return new Ok(values);
}

/** All values in order, or every error in order. */
export function collectAllErrors<T, E>(results: Iterable<Result<T, E>>): Result<T[], E[]> {
  const { values, errors } = partition(results);
  return errors.length === 0 ? new Ok(values) : new Err(errors);
}

/** The values and the errors, each in order. */
export function partition<T, E>(results: Iterable<Result<T, E>>): { values: T[]; errors: E[] } {
  const values: T[] = [];
  const errors: E[] = [];
  for (const result of results) {
    if (result.ok) values.push(result.value);
    else errors.push(result.error);
  }
  return { values, errors };
}

/** What `fn` returns, or what it throws as an Err (a thrown non-Error is wrapped in a SpineError, see `toError`). */
export function tryResult<T>(fn: () => T): Result<T, Error> {
  try {
    return new Ok(fn());
  } catch (thrown) {
    return new Err(toError(thrown));
  }
}

/** The same for a promise, and for a throw before there is one. The returned promise never rejects. */
export async function tryResultAsync<T>(fn: () => PromiseLike<T> | T): Promise<Result<T, Error>> {
  try {
    return new Ok(await fn());
  } catch (thrown) {
    return new Err(toError(thrown));
  }
}

/** The value, or `onMissing()` as the error when it is null or undefined. */
export function fromNullable<T, E>(value: T | null | undefined, onMissing: () => E): Result<T, E> {
  return value === null || value === undefined ? new Err(onMissing()) : new Ok(value);
}
