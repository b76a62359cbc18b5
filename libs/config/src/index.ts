export { childEnvironment } from './child-environment.ts';
export { loadCliSettings, takesColour, type CliSettings } from './cli-settings.ts';
export { toEnvironment, type MergedValues, type SourcedValue } from './cascade/layers.ts';
export { ProfileCycleError, ProfileError, ProfileNotFoundError } from './cascade/profiles.ts';
export type { Configuration } from './cascade/read-configuration.ts';
export {
  describeFinding,
  validateComponentCombination,
  type CombinationFinding,
  type Components,
} from './components.ts';
export {
  booleanFlag,
  integerFlag,
  rolloutFlag,
  variantFlag,
  type FlagDefinition,
  type FlagDefinitions,
  type FlagSetting,
  type FlagValue,
} from './flags/definition.ts';
export {
  FeatureFlags,
  UnknownFlagError,
  type FlagContext,
  type FlagSource,
  type FlagState,
} from './flags/feature-flags.ts';
export { rolloutBucket } from './flags/rollout.ts';
export { SPINE_FLAG_DEFINITIONS, spineFlags, type SpineFlags } from './flags/spine-flags.ts';
export { isLoopbackHost } from './loopback.ts';
export {
  loadProcessSettings,
  openProcessSettings,
  readProcessConfiguration,
  type ProcessOptions,
  type ProcessSettings,
} from './process-settings.ts';
export { Secret, Secret as SecretValue } from './secret.ts';
export { AwsSecretBackend, type AwsOptions } from './secrets/aws-backend.ts';
export {
  MissingSecretError,
  SecretAccessError,
  SecretFormatError,
  SecretUnavailableError,
  type SecretAnswer,
  type SecretBackend,
  type SecretLocation,
} from './secrets/backend.ts';
export { createSecretsResolver, type CreateResolverOptions } from './secrets/create-resolver.ts';
export { EnvSecretBackend } from './secrets/env-backend.ts';
export { FileSecretBackend, type FileSecretOptions } from './secrets/file-backend.ts';
export {
  formatSecretReference,
  isSecretReference,
  parseSecretReference,
  SECRET_BACKENDS,
  SecretReferenceError,
  type SecretBackendName,
  type SecretReference,
} from './secrets/reference.ts';
export { SecretsResolver, type ChainLink, type ResolverOptions } from './secrets/resolver.ts';
export { VaultSecretBackend, type VaultOptions } from './secrets/vault-backend.ts';
export { loadSettings } from './settings.ts';
export { shownVariables, type ShownVariable } from './shown-variables.ts';
export {
  ROLES,
  type Environment,
  type LoadOptions,
  type Role,
  type SecretSettings,
  type Settings,
  type TracingSettings,
} from './settings-model.ts';
export {
  describeVariable,
  EVENT_BUSES,
  LOG_LEVELS,
  TRACE_SAMPLERS,
  VARIABLE_NAMES,
  type EventBusChoice,
  type LogLevel,
  type TraceSampler,
  type VariableDoc,
  type VariableName,
} from './variables.ts';
