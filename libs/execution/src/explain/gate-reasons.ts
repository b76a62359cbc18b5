/** Which gates are shut for a run, by the judgement that a claim goes by. */
import { assertNever } from '@spine/core';
import { gateId, judgeGate, UNUSED } from '@spine/database';
import type { BreakerRecord, Gate } from '@spine/database';
import type { ExplainFacts, WaitReason } from './wait-reason.ts';

export function gateReasons(all: ExplainFacts): WaitReason[] {
  if (all.gates === null) {
    return [
      {
        code: 'gates_unreadable',
        message: 'its gates are of a later release; a worker of that release is needed',
      },
    ];
  }
  return all.gates.flatMap((gate) => {
    const fact = all.facts.gates.get(gateId(gate)) ?? UNUSED;
    const judgement = judgeGate(gate, all.run, fact, all.facts.now);
    return judgement.open ? [] : [shut(gate, judgement.until, all)];
  });
}

function shut(gate: Gate, untilMs: number | null, { lines, breakers, facts }: ExplainFacts): WaitReason {
  const { holders, ahead } = lines.get(gateId(gate)) ?? { holders: [], ahead: 0 };
  const fact = facts.gates.get(gateId(gate)) ?? UNUSED;
  const { key } = gate;
  const place = { key, position: ahead + 1, ...(untilMs === null ? {} : { until: new Date(untilMs) }) };
  switch (gate.type) {
    case 'concurrency': {
      const kept =
        fact.reserved.length === 0 ? '' : `, ${fact.reserved.length} kept for runs that were told before`;
      const message = `${fact.held} of ${gate.limit} places under key ${key} are taken${kept}`;
      return { code: 'concurrency_limit', message, ...place, limit: gate.limit, runIds: holders };
    }
    case 'rate': {
      const { limit, perMs } = gate.rate;
      const message = `the rate of key ${key}, ${limit} in ${perMs / 1_000} s, is used up`;
      return { code: 'rate_limit', message, ...place, limit };
    }
    case 'singleton':
      return {
        code: 'singleton_active',
        message: `another run with singleton key ${key} is active`,
        key,
        ...(fact.active === null ? {} : { runIds: [fact.active] }),
      };
    case 'breaker':
      return shutBreaker(key, breakers.get(key), place);
    default:
      return assertNever(gate);
  }
}

function shutBreaker(
  name: string,
  breaker: BreakerRecord | undefined,
  place: Pick<WaitReason, 'key' | 'position' | 'until'>,
): WaitReason {
  const known = breaker === undefined ? {} : { since: breaker.updatedAt, by: breaker.changedBy };
  if (breaker?.state === 'half_open') {
    const runIds = breaker.probeOwner === null ? [] : [breaker.probeOwner];
    const message = `the circuit breaker of ${name} is half open: one run tries the dependency`;
    return { code: 'breaker_probing', message, ...place, ...known, runIds };
  }
  const forced = breaker?.forced === true ? ' by an operator, until further notice' : '';
  return {
    code: 'breaker_open',
    message: `the circuit breaker of ${name} is open${forced}`,
    ...place,
    ...known,
  };
}
