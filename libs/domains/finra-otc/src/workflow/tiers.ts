/** What the weekly workflow keeps of each tier between its steps. Pure. */
import { isJsonObject, ValidationError } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { TIERS } from '../vocabulary.ts';

/** Of what each operation has answered, the part that is kept. */
const KEPT = ['skipped', 'rows', 'capture_id', 'output_digest', 'reason', 'warnings'] as const;

/** What came of one file: `{ tier, file: {…}, steps: { normalize: {…}, … } }`, from the answers of its operations. */
export function summarizeTier({ ingest, ...steps }: JsonObject): JsonObject {
  if (!isJsonObject(ingest) || typeof ingest['tier'] !== 'string') throw broken('ingest');
  const { tier, ...file } = ingest;
  return {
    tier,
    file,
    steps: Object.fromEntries(
      Object.entries(steps).map(([name, answer]) => {
        if (!isJsonObject(answer)) throw broken(name);
        const kept = KEPT.flatMap((key): [string, JsonValue][] => {
          const value = answer[key];
          return value === undefined ? [] : [[key, value]];
        });
        return [name, Object.fromEntries(kept)];
      }),
    ),
  };
}

/** The tiers of several files, each once, in their usual order, and what was warned of. */
export function collectTiers({ items }: JsonObject): JsonObject {
  const found = Array.isArray(items) ? items.filter(isJsonObject) : [];
  const tiers = TIERS.filter((tier) => found.some((item) => item['tier'] === tier));
  const warnings = found.flatMap(({ tier, steps }) =>
    Object.entries(isJsonObject(steps) ? steps : {}).flatMap(([step, answer]) => {
      const told = isJsonObject(answer) ? answer['warnings'] : undefined;
      return Array.isArray(told) ? told.map((warning) => `${String(tier)}: ${step}: ${String(warning)}`) : [];
    }),
  );
  return { tiers: [...tiers], warnings };
}

function broken(what: string): ValidationError {
  return new ValidationError(`${what}: is not the answer of its operation`);
}
