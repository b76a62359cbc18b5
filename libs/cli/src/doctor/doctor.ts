/**
 * `spine doctor`: looks at everything a deployment stands on and says what is wrong, with the fix.
 *
 * 1. It changes nothing, anywhere.
 * 2. What is looked at is looked at side by side, each with a limit; what cannot be looked at is a finding.
 * 3. No secret is shown: values of settings never, texts of drivers only without what is known to be secret.
 */
import type { Role } from '@spine/config';
import { listWorkers } from '@spine/database';
import type { Db } from '@spine/database';
import { runChecks } from './check.ts';
import type { Check, CheckOptions } from './check.ts';
import { SUBJECTS } from './finding.ts';
import type { Finding, Subject } from './finding.ts';
import { reachDatabase, reachRedis } from './gather/access.ts';
import { askApi } from './gather/api.ts';
import type { ApiPlace } from './gather/api.ts';
import { databaseChecks } from './gather/database.ts';
import { gatherFolders, gatherSecretFiles } from './gather/files.ts';
import { gatherSettings } from './gather/settings.ts';
import type { Configured, Places } from './gather/settings.ts';
import { judgeApi, judgeVersions } from './judge/api.ts';
import type { ApiFacts } from './judge/api.ts';
import { judgeFolders, judgeNode, judgeSecretFiles, judgeSettings } from './judge/environment.ts';
import { judgeRedis } from './judge/redis.ts';
import { judgeAccess } from './judge/server.ts';
import type { DatabaseAccess } from './judge/server.ts';
import { scrubber } from './scrub.ts';
import type { Clean } from './scrub.ts';

export interface Diagnosis {
  /** What to look at. */
  readonly subjects: ReadonlySet<Subject>;
  /** Whose settings: `launcher` is `spine start`. */
  readonly role: Role;
  /** For each check. */
  readonly timeoutMs: number;
  /** Aborts the whole: Ctrl-C. */
  readonly signal: AbortSignal;
  readonly places: Places & { readonly cwd: string };
  /** Where the API is, and how it is asked. What it throws is a finding. */
  readonly api: () => Promise<ApiPlace>;
  /** Of this program. */
  readonly version: string;
  /** As `process.versions.node`. */
  readonly node: string;
}

/** What can only be looked at in the database. */
const ON_DATABASE: readonly Subject[] = ['database', 'workers', 'schedulers', 'work'];
/** What the database is asked for: the API's version is compared with that of the workers. */
const IN_DATABASE: readonly Subject[] = [...ON_DATABASE, 'api'];

/** The findings in the order of {@link SUBJECTS}. @throws the signal's reason */
export async function diagnose(diagnosis: Diagnosis): Promise<readonly Finding[]> {
  const { subjects, role, timeoutMs, signal, places } = diagnosis;
  const configured = await gatherSettings(role, places);
  const secrets = new Set(configured.secrets);
  const clean = (text: string): string => scrubber(secrets)(text);
  const options: CheckOptions = { timeoutMs, signal, clean };
  const reached = IN_DATABASE.some((each) => subjects.has(each))
    ? await reachDatabase(configured.settings, options, secrets)
    : null;
  try {
    const db = reached?.db ?? null;
    // Whatever of it was asked for: a database that is not there is the one finding, and not silence.
    const isMissed = db === null && ON_DATABASE.some((each) => subjects.has(each));
    const checks = [
      ...environmentChecks(diagnosis, configured),
      ...(db === null ? [] : databaseChecks(db)),
      redisCheck(configured, options),
      ...apiChecks(diagnosis, db, clean),
    ].filter(({ subject }) => subjects.has(subject));
    const access =
      reached !== null && (isMissed || subjects.has('database')) ? [accessCheck(reached.access)] : [];
    const found = await runChecks([...access, ...checks], options);
    return SUBJECTS.flatMap((each) => found.filter(({ subject }) => subject === each));
  } finally {
    await reached?.db?.destroy().catch(() => undefined);
  }
}

function environmentChecks({ node, role, places }: Diagnosis, configured: Configured): Check[] {
  const { settings, answer, set } = configured;
  const check = (name: string, run: Check['run']): Check => ({ subject: 'environment', name, run });
  return [
    check('Node', () => Promise.resolve([judgeNode(node)])),
    check('settings', () => Promise.resolve(judgeSettings(answer, role, set))),
    check('files with secrets', async () => [
      judgeSecretFiles(await gatherSecretFiles(configured, places.cwd)),
    ]),
    ...(settings === null
      ? []
      : [check('folders', async () => judgeFolders(await gatherFolders(settings, configured)))]),
  ];
}

function accessCheck(access: DatabaseAccess): Check {
  return { subject: 'database', name: 'the connection', run: () => Promise.resolve([judgeAccess(access)]) };
}

function redisCheck({ settings }: Configured, options: CheckOptions): Check {
  return {
    subject: 'redis',
    name: 'Redis',
    run: async () =>
      judgeRedis(
        settings === null ? { type: 'unknown' } : await reachRedis(settings.redis.url?.reveal(), options),
      ),
  };
}

function apiChecks({ api, timeoutMs, version }: Diagnosis, db: Db | null, clean: Clean): Check[] {
  let asked: Promise<ApiFacts> | undefined;
  // The key is asked for after the health, within the limit of the whole check.
  const answers = (signal: AbortSignal): Promise<ApiFacts> =>
    (asked ??= api().then((place) => askApi(place, { timeoutMs, signal, clean })));
  return [
    { subject: 'api', name: 'the API', run: async (signal) => judgeApi(await answers(signal)) },
    {
      subject: 'api',
      name: 'versions',
      run: async (signal) => {
        // An API that cannot be asked at all is the other check's finding.
        const facts = await answers(signal).catch(() => null);
        if (facts === null) return [];
        const workers = db === null ? [] : await listWorkers(db);
        const live = workers.filter(({ isLive }) => isLive).map((worker) => worker.version);
        if (facts.answer.type !== 'healthy' && live.length === 0) return [];
        return [
          judgeVersions({
            program: version,
            api: facts.answer.type === 'healthy' ? facts.answer.version : null,
            workers: [...new Set(live)],
          }),
        ];
      },
    },
  ];
}
