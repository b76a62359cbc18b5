import { ConfigError, ValidationError } from '@spine/core';
import type { ReplayVerdict } from '@spine/core';
import type { DbTransaction, StoredReject } from '@spine/database';

/** Who replays: what the rows it stores now are to carry. */
export interface ReplayRun {
  readonly runId: string;
  readonly batchId: string | null;
}

/**
 * Judges rejects of one stage again, by the rules as they are now. A domain registers one for each stage whose rejects
 * can be replayed.
 */
export interface RejectReplayer {
  readonly domain: string;
  readonly stage: string;
  /** Of the rules as they are now; kept with every verdict. */
  readonly ruleVersion: string;
  /**
   * Judges every reject from its raw row, and stores in `trx` what passes. Answers one verdict for each, in order:
   * `repaired` for what it stored, `superseded` for what was stored already. The verdicts commit with the rows.
   *
   * A throw rolls the page back and fails the attempt: it is for faults, never for a bad row.
   */
  replay(
    trx: DbTransaction,
    rejects: readonly StoredReject[],
    run: ReplayRun,
  ): Promise<readonly ReplayVerdict[]>;
}

/** The replayers of a deployment, one a domain and stage. */
export class RejectReplayers {
  readonly #replayers: readonly RejectReplayer[];

  /** @throws ConfigError when a stage has two. */
  constructor(replayers: readonly RejectReplayer[] = []) {
    for (const [index, { domain, stage }] of replayers.entries()) {
      const first = replayers.findIndex((each) => each.domain === domain && each.stage === stage);
      if (first !== index) throw new ConfigError(`rejects of ${domain}, stage ${stage}, have two replayers`);
    }
    this.#replayers = [...replayers];
  }

  /** Every replayer of a domain, in the order of registration. */
  of(domain: string): readonly RejectReplayer[] {
    return this.#replayers.filter((replayer) => replayer.domain === domain);
  }

  /**
   * The replayers a request is for: that of its stage, or all of its domain.
   * @throws ValidationError naming those there are.
   */
  select(domain: string, stage: string | undefined): readonly RejectReplayer[] {
    const ofDomain = this.of(domain);
    if (ofDomain.length === 0) {
      const domains = [...new Set(this.#replayers.map((replayer) => replayer.domain))].sort();
      throw unknown('domain', domain, domains);
    }
    if (stage === undefined) return ofDomain;
    const ofStage = ofDomain.filter((replayer) => replayer.stage === stage);
    if (ofStage.length > 0) return ofStage;
    throw unknown(
      'stage',
      stage,
      ofDomain.map((replayer) => replayer.stage),
    );
  }
}

function unknown(field: string, given: string, allowed: readonly string[]): ValidationError {
  const known = allowed.length === 0 ? 'there is none' : `allowed are ${allowed.join(', ')}`;
  const message = `${JSON.stringify(given)} has no reject replayer; ${known}`;
  return new ValidationError(`${field}: ${message}`, {
    issues: [{ field: `params.${field}`, code: 'no_replayer', message }],
  });
}
