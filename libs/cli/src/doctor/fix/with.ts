/** Repairing on this machine: the settings of the diagnosis, its look, and its secrets hidden. */
import { ConfigError } from '@spine/core';
import { diagnose } from '../doctor.ts';
import type { Diagnosis } from '../doctor.ts';
import type { Finding } from '../finding.ts';
import { gatherSettings } from '../gather/settings.ts';
import { passwordsIn, scrubber } from '../scrub.ts';
import { databaseOf } from '../../local/target.ts';
import { carryOut } from './carry-out.ts';
import { repair } from './repair.ts';
import type { Repair, Repaired } from './repair.ts';

/** @throws Interrupted, and UsageError where nobody can be asked */
export async function repairWith(
  found: readonly Finding[],
  diagnosis: Diagnosis,
  { ask, onFix }: Pick<Repair, 'ask' | 'onFix'>,
): Promise<Repaired> {
  const { role, places, timeoutMs, signal } = diagnosis;
  const { settings, secrets } = await gatherSettings(role, places);
  // The embedded database's password stands in no setting.
  const target = settings === null ? null : await databaseOf(settings).catch(() => null);
  const more = target?.type === 'found' ? passwordsIn(target.connectionString) : [];
  return repair(found, {
    ask,
    onFix,
    signal,
    clean: scrubber([...secrets, ...more]),
    look: () => diagnose(diagnosis),
    carryOut: (remedy) => {
      // What is found without settings has no remedy; they have gone since.
      if (settings === null) throw new ConfigError('the settings cannot be used any more');
      return carryOut(remedy, { settings, timeoutMs, signal });
    },
  });
}
