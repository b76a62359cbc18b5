export { createApp } from './app.ts';
export type { ApiApp, AppOptions } from './app.ts';
export { buildOpenApiDocument } from './openapi/build.ts';
export { HttpProblem, PROBLEMS } from './http/problem.ts';
export type { FieldError, ProblemCode, ProblemDocument } from './http/problem.ts';
export { digestOf } from './auth/digest.ts';
export { KEY_TTL_MS, KeyDirectory } from './auth/key-directory.ts';
