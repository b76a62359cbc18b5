/**
 * Feature flags: typed, declared in code, set by override, environment or default, in this order.
 *
 * 1. What a flag may be set to is checked when it is set; reading one cannot fail but for a name that nobody has declared.
 * 2. Overrides `during` a function belong to what that function starts, and to nothing that runs beside it.
 * 3. Overrides are this process's own and are gone with it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ConfigError, NotFoundError, ValidationError } from '@spine/core';
import { nearestName } from '../report.ts';
import type { Environment } from '../settings-model.ts';
import { checkSetting, describeAllowed } from './definition.ts';
import type {
  BooleanFlag,
  FlagDefinition,
  FlagDefinitions,
  FlagSetting,
  FlagValue,
  RolloutFlag,
  StoredSetting,
} from './definition.ts';
import { flagVariable, readFlagVariables } from './flag-variables.ts';
import { isRolledOut } from './rollout.ts';

/** A flag that nobody has declared. */
export class UnknownFlagError extends NotFoundError {}

export type FlagSource = 'override' | 'environment' | 'default';

export interface FlagContext {
  /** Whom a rollout is decided for: a run id, a domain, a customer. Without one it is on at 100 % only. */
  readonly key?: string | undefined;
}

export interface FlagState {
  readonly name: string;
  readonly type: FlagDefinition['type'];
  readonly description: string;
  readonly allowed: string;
  readonly variable: string;
  /** A rollout's is its percentage. */
  readonly setting: StoredSetting;
  readonly source: FlagSource;
}

/** Flags that are on or off. */
export type SwitchName<D extends FlagDefinitions> = {
  [N in keyof D]: D[N] extends BooleanFlag | RolloutFlag ? N : never;
}[keyof D] &
  string;

const FLAG_NAME = /^[a-z][a-z0-9_]{0,62}$/;

export class FeatureFlags<D extends FlagDefinitions = FlagDefinitions> {
  readonly #definitions: D;
  readonly #environment: ReadonlyMap<string, StoredSetting>;
  readonly #overrides = new Map<string, StoredSetting>();
  readonly #scope = new AsyncLocalStorage<ReadonlyMap<string, StoredSetting>>();

  /**
   * @param env where `SPINE_FF_*` are; default: nowhere.
   * @throws ConfigError for a definition that contradicts itself, and for a variable the flag does not take.
   */
  constructor(definitions: D, env: Environment = {}) {
    for (const [name, definition] of Object.entries(definitions)) checkDefinition(name, definition);
    const { settings, problems } = readFlagVariables(definitions, env);
    if (problems.length > 0) throw new ConfigError(problems.join('\n'));
    this.#definitions = definitions;
    this.#environment = settings;
  }

  /** @throws UnknownFlagError */
  get<N extends keyof D & string>(name: N, context: FlagContext = {}): FlagValue<D[N]> {
    // The definition decides the type, and every stored setting was checked against it.
    return this.evaluate(name, context).value as FlagValue<D[N]>;
  }

  /** @throws UnknownFlagError */
  isEnabled(name: SwitchName<D>, context: FlagContext = {}): boolean {
    return this.evaluate(name, context).value === true;
  }

  /** The value with where it comes from, for a name from outside. @throws UnknownFlagError */
  evaluate(
    name: string,
    { key }: FlagContext = {},
  ): { readonly value: StoredSetting; readonly source: FlagSource } {
    const definition = this.definition(name);
    const { setting, source } = this.#setting(name, definition);
    if (definition.type !== 'rollout' || typeof setting !== 'number') return { value: setting, source };
    return { value: key === undefined ? setting === 100 : isRolledOut(name, key, setting), source };
  }

  /** @throws UnknownFlagError */
  definition(name: string): FlagDefinition {
    const definition = Object.hasOwn(this.#definitions, name) ? this.#definitions[name] : undefined;
    if (definition !== undefined) return definition;
    const names = Object.keys(this.#definitions);
    const nearest = names.find((known) => nearestName(name, [known.toUpperCase()]) !== undefined);
    const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    throw new UnknownFlagError(`there is no feature flag ${JSON.stringify(name.slice(0, 100))}${meant}`);
  }

  /** Overrides a flag in this process. @throws UnknownFlagError; ValidationError for a value the flag does not take. */
  set<N extends keyof D & string>(name: N, value: FlagSetting<D[N]>): void {
    this.#overrides.set(name, this.#checked(name, value));
  }

  /** Takes back what `set` did. @throws UnknownFlagError */
  unset(name: keyof D & string): void {
    this.definition(name);
    this.#overrides.delete(name);
  }

  /**
   * Calls `action` with flags overridden for it and everything it awaits.
   * @throws as `set`, and whatever `action` throws.
   */
  during<T>(overrides: { readonly [N in keyof D]?: FlagSetting<D[N]> }, action: () => T): T {
    const scoped = new Map(this.#scope.getStore());
    for (const [name, value] of Object.entries(overrides)) {
      if (value !== undefined) scoped.set(name, this.#checked(name, value));
    }
    return this.#scope.run(scoped, action);
  }

  /** Every flag, by name. */
  list(): FlagState[] {
    return Object.entries(this.#definitions)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, definition]) => ({
        name,
        type: definition.type,
        description: definition.description,
        allowed: describeAllowed(definition),
        variable: flagVariable(name),
        ...this.#setting(name, definition),
      }));
  }

  #setting(name: string, { fallback }: FlagDefinition): { setting: StoredSetting; source: FlagSource } {
    const override = this.#scope.getStore()?.get(name) ?? this.#overrides.get(name);
    if (override !== undefined) return { setting: override, source: 'override' };
    const environment = this.#environment.get(name);
    if (environment !== undefined) return { setting: environment, source: 'environment' };
    return { setting: fallback, source: 'default' };
  }

  #checked(name: string, value: unknown): StoredSetting {
    const definition = this.definition(name);
    const setting = checkSetting(definition, value);
    if (setting !== undefined) return setting;
    const message = `given ${JSON.stringify(value)}; allowed: ${describeAllowed(definition)}`;
    throw new ValidationError(`flag ${name}: ${message}`, {
      issues: [{ field: name, code: 'invalid_flag_value', message }],
    });
  }
}

function checkDefinition(name: string, definition: FlagDefinition): void {
  if (!FLAG_NAME.test(name)) {
    throw new ConfigError(
      `flag ${JSON.stringify(name)}: allowed names: a-z followed by up to 62 of a-z 0-9 _`,
    );
  }
  if (checkSetting(definition, definition.fallback) === undefined) {
    throw new ConfigError(
      `flag ${name}: its default ${JSON.stringify(definition.fallback)} is not ${describeAllowed(definition)}`,
    );
  }
}
