/** The data ledger: what was processed, how good it is, how far it goes. */
import type { Register } from '../frame/command.ts';
import { registerAnomalies } from './ledger/anomalies.ts';
import { registerAssets } from './ledger/assets.ts';
import { registerBackfill } from './ledger/backfill.ts';
import { registerExpected } from './ledger/expected.ts';
import { registerManifest } from './ledger/manifest.ts';
import { registerQuality } from './ledger/quality.ts';
import { registerReadiness } from './ledger/readiness.ts';
import { registerRejects } from './ledger/rejects.ts';
import { registerWatermarks } from './ledger/watermarks.ts';
import { registerWorkItems } from './ledger/work-items.ts';

export const register: Register = (program, context) => {
  registerQuality(program, context);
  registerAnomalies(program, context);
  registerRejects(program, context);
  registerBackfill(program, context);
  registerExpected(program, context);
  registerWorkItems(program, context);
  registerWatermarks(program, context);
  registerManifest(program, context);
  registerReadiness(program, context);
  registerAssets(program, context);
};
