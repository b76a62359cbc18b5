export { childEnvironment } from './child-environment.ts';
export { REDACTED, Secret } from './secret.ts';
export {
  isLoopbackHost,
  loadProcessSettings,
  loadSettings,
  ROLES,
  type Environment,
  type LoadOptions,
  type Role,
  type Settings,
} from './settings.ts';
export {
  describeVariable,
  LOG_LEVELS,
  VARIABLE_NAMES,
  type LogLevel,
  type VariableDoc,
  type VariableName,
} from './variables.ts';
