/**
 * The cascade of env files in the working directory: `.env.base` < `.env.{tier}` < `.env.local` < `.env`.
 *
 * They are parsed, never executed: no command or variable in a value is expanded. Nothing is written to `process.env`.
 */
import { join } from 'node:path';
import { parse } from 'dotenv';
import { ConfigError } from '@spine/core';
import { DEFAULT_TIER, TIER_ALLOWED, tierName } from '../formats.ts';
import { readOptionalText } from './read-text.ts';
import { mergeLayers } from './layers.ts';
import type { Layer } from './layers.ts';

export interface EnvFiles {
  /** What SPINE_TIER says: in the environment, else in `.env`, `.env.local` or `.env.base`. Default {@link DEFAULT_TIER}. */
  readonly tier: string;
  /** Of the files that exist, weakest first. */
  readonly layers: readonly Layer[];
}

function readLayer(cwd: string, name: string): Layer[] {
  const text = readOptionalText(join(cwd, name));
  return text === undefined ? [] : [{ source: name, values: parse(text) }];
}

function chosenTier(layers: readonly Layer[]): string {
  const chosen = mergeLayers(layers).get('SPINE_TIER');
  if (chosen === undefined) return DEFAULT_TIER;
  if (tierName.safeParse(chosen.value).success) return chosen.value;
  throw new ConfigError(
    `SPINE_TIER: given ${JSON.stringify(chosen.value.slice(0, 100))} in ${chosen.source}; allowed: ${TIER_ALLOWED}`,
  );
}

/**
 * @param environment what stands above every file.
 * @throws ConfigError for a file that cannot be read, a tier that is no name, and a tier's own file that names another.
 */
export function readEnvFiles(cwd: string, environment: Layer): EnvFiles {
  const base = readLayer(cwd, '.env.base');
  const local = readLayer(cwd, '.env.local');
  const plain = readLayer(cwd, '.env');
  const tier = chosenTier([...base, ...local, ...plain, environment]);
  const own = readLayer(cwd, `.env.${tier}`);
  const claimed = mergeLayers(own).get('SPINE_TIER')?.value;
  if (claimed !== undefined && claimed !== tier) {
    throw new ConfigError(
      `SPINE_TIER: .env.${tier} is read because the tier is ${tier}, and cannot make it another one; ` +
        'allowed: the same tier, or none',
    );
  }
  return { tier, layers: [...base, ...own, ...local, ...plain] };
}
