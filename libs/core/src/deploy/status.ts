/** What is to be said of a deployment: pure, from which processes there are and what the database has applied. */

export const DEPLOY_SERVICES = ['api', 'scheduler', 'worker'] as const;
export type DeployService = (typeof DEPLOY_SERVICES)[number];

export interface DeployProcess {
  readonly service: DeployService;
  readonly version: string;
  readonly startedAt: Date;
}

/**
 * The schema against the code that asks. `behind`: migrations are pending. `ahead`: it knows some that this code does not.
 * `edited`: one that was applied reads differently now. `unreadable`: this process may not look.
 */
export type SchemaState = 'current' | 'behind' | 'ahead' | 'edited' | 'unreadable';

export interface DeployFacts {
  /** The live ones. */
  readonly processes: readonly DeployProcess[];
  readonly schema: SchemaState;
}

export interface DeployVersion {
  readonly version: string;
  /** Live processes of it, by service. */
  readonly services: Readonly<Record<DeployService, number>>;
  /** Since when one of its live processes has run. */
  readonly since: Date;
}

export interface DeployProblem {
  readonly code:
    'no_worker' | 'no_scheduler' | 'versions_differ' | `schema_${Exclude<SchemaState, 'current'>}`;
  readonly message: string;
}

export interface DeployVerdict {
  /** `attention` when there is a problem. */
  readonly status: 'ok' | 'attention';
  readonly problems: readonly DeployProblem[];
  /** Those that run, the one that has run longest first. More than one: drift. */
  readonly versions: readonly DeployVersion[];
}

const SCHEMA_PROBLEMS: Readonly<Record<Exclude<SchemaState, 'current'>, string>> = {
  behind: 'migrations are pending; run `npx spine migrate`, or POST /api/v1/database/init',
  ahead: 'the database has migrations that this version does not know; deploy the newer version',
  edited: 'a migration was changed after it was applied; restore it',
  unreadable: 'the migrations that were applied cannot be read; grant SELECT on schema_migrations',
};

function versionsOf(processes: readonly DeployProcess[]): DeployVersion[] {
  const byVersion = Map.groupBy(processes, ({ version }) => version);
  return [...byVersion]
    .map(([version, of]) => {
      const count = (service: DeployService): number => of.filter((each) => each.service === service).length;
      return {
        version,
        services: { api: count('api'), scheduler: count('scheduler'), worker: count('worker') },
        since: new Date(Math.min(...of.map(({ startedAt }) => startedAt.getTime()))),
      };
    })
    .sort((a, b) => a.since.getTime() - b.since.getTime() || (a.version < b.version ? -1 : 1));
}

/** The order of the problems: what keeps work from being done first. */
export function judgeDeployment({ processes, schema }: DeployFacts): DeployVerdict {
  const versions = versionsOf(processes);
  const lacks = (service: DeployService): boolean => !processes.some((each) => each.service === service);
  const problems: DeployProblem[] = [
    ...(schema === 'current'
      ? []
      : [{ code: `schema_${schema}` as const, message: SCHEMA_PROBLEMS[schema] }]),
    ...(lacks('worker')
      ? [{ code: 'no_worker' as const, message: 'no worker is live: runs wait; start one' }]
      : []),
    ...(lacks('scheduler')
      ? [
          {
            code: 'no_scheduler' as const,
            message: 'no scheduler is live: nothing is scheduled or repaired; start one',
          },
        ]
      : []),
    ...(versions.length > 1
      ? [
          {
            code: 'versions_differ' as const,
            message: `live processes are of the versions ${versions.map(({ version }) => version).join(' and ')}; finish the deployment`,
          },
        ]
      : []),
  ];
  return { status: problems.length === 0 ? 'ok' : 'attention', problems, versions };
}
