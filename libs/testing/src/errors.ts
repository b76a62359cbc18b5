/** A server the tests need could not be had. The message says what was tried and what to do. */
export class TestInfrastructureError extends Error {
  override readonly name = 'TestInfrastructureError';
}

/** `waitFor` gave up. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError';
}
