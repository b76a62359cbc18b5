export { ERROR_CATEGORIES, ErrorCategory, isErrorCategory } from './category.ts';
export type { ErrorContext } from './context.ts';
export { toError, toErrorInfo, type ErrorInfo } from './error-info.ts';
export {
  AuthError,
  ConfigError,
  ConflictError,
  InvariantError,
  NotFoundError,
  OperationError,
  OrchestrationError,
  ParseError,
  SourceError,
  StorageError,
  ValidationError,
  type ValidationErrorOptions,
  type ValidationIssue,
} from './permanent.ts';
export { toPlainJson } from './plain-json.ts';
export { QualityGateError, type FailedCheck } from './quality-gate-error.ts';
export {
  MAX_ERROR_MESSAGE_LENGTH,
  SpineError,
  type SpineErrorDict,
  type SpineErrorOptions,
} from './spine-error.ts';
export {
  DatabaseConnectionError,
  NetworkError,
  RateLimitError,
  TimeoutError,
  TransientError,
} from './transient.ts';
