export { API_KEY_PREFIX, formatApiKey, isKeyUsable, parseApiKey, type KeyState } from './api-key.ts';
export { deciderOf, type Decider } from './decider.ts';
export { REDACTED } from './redacted.ts';
export {
  mayGrant,
  NAMESPACE,
  satisfiesScope,
  SCOPES,
  type Grant,
  type GrantVerdict,
  type Scope,
} from './scopes.ts';
export { hideSecretFields, isSecretName, secretTexts } from './secret-names.ts';
