import { isIP } from 'node:net';

export interface BannerFacts {
  readonly url: string;
  /** True when no key is asked for. */
  readonly open: boolean;
  readonly workers: number;
  readonly queue: string;
  readonly dataDir: string;
  /** Where the embedded database is, when it is not below `dataDir`. */
  readonly databaseDir: string | undefined;
  readonly logDir: string;
  /** A FINRA weekly file to try; undefined when there is none. */
  readonly finraFile: string | undefined;
  readonly elapsedMs: number;
}

/** Where the commands of `spine` look for the API when SPINE_URL says nothing. */
const COMMANDS_LOOK_AT = 'http://127.0.0.1:3000';

/** The address to open from this machine: 0.0.0.0 and :: can be listened on, not visited. */
export function visitUrl(host: string, port: number): string {
  const visited = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${isIP(visited) === 6 ? `[${visited}]` : visited}:${port}`;
}

/** A text as one shell word. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function curlLine(url: string, open: boolean, body: unknown): string {
  const key = open ? '' : ` -H "authorization: Bearer $SPINE_API_KEY"`;
  return `curl -s ${url}/api/v1/runs${key} -H 'content-type: application/json' -d ${quote(JSON.stringify(body))}`;
}

/** What the user sees when everything runs. */
export function renderBanner(facts: BannerFacts): string {
  const { url, open } = facts;
  const rows: [string, string][] = [
    ['API', url],
    ['API docs', `${url}/docs`],
    ['Bull Board', `${url}/admin/queues`],
    ...(url === COMMANDS_LOOK_AT ? [] : [['For npx', `export SPINE_URL=${url}`] satisfies [string, string]]),
    [
      'Access',
      open ? 'open (local mode): no key is asked for on this address' : 'with a key of SPINE_API_KEYS',
    ],
    ['Work', `${facts.workers} ${facts.workers === 1 ? 'worker' : 'workers'}, queue on ${facts.queue}`],
    ['Data', facts.dataDir],
    ...(facts.databaseDir === undefined ? [] : [['Database', facts.databaseDir] satisfies [string, string]]),
    ['Logs', facts.logDir],
  ];
  const hello = { kind: 'task', name: 'echo', params: { message: 'hello' } };
  const lines = [
    '',
    `Spine is ready (${(facts.elapsedMs / 1000).toFixed(1)} s)`,
    '',
    ...rows.map(([label, value]) => `  ${label.padEnd(11)} ${value}`),
    '',
    'Try it:',
    '',
    `  ${curlLine(url, open, hello)}`,
  ];
  if (facts.finraFile !== undefined) {
    const ingest = {
      kind: 'operation',
      name: 'finra.otc_transparency.ingest_week',
      params: { file_path: facts.finraFile },
    };
    lines.push('', 'Then a week of FINRA data:', '', `  ${curlLine(url, open, ingest)}`);
  }
  lines.push('', 'Ctrl-C stops everything.', '');
  return lines.join('\n');
}
