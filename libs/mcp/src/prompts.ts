/** Questions people ask, each with the way to the answer: which tools, in which order, and what to look at. */
import type { GetPromptResult, Prompt } from '@modelcontextprotocol/sdk/types.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import type { Clock } from '@spine/core';

interface PromptSpec {
  readonly listed: Prompt;
  /** @param value of an argument, as JSON text, so that what a person typed stays apart from what we say */
  readonly text: (value: (name: string) => string | null) => readonly string[];
}

const LOOK_ONLY = 'Only look: change nothing, and propose what could be done at the end.';

function argument(name: string, description: string, required = true) {
  return { name, description, required };
}

const PROMPTS: readonly PromptSpec[] = [
  {
    listed: {
      name: 'what_happened',
      title: 'What happened to …?',
      description: 'What became of a piece of work, such as Tuesday’s file.',
      arguments: [
        argument('subject', 'What is asked about: “Tuesday’s file”, a workflow, a partition.'),
        argument('day', 'The day it was due, e.g. 2026-01-06.', false),
      ],
    },
    text: (value) => [
      `What happened to this: ${value('subject') ?? ''}${value('day') === null ? '' : `, on the day ${value('day')}`}? Find out and tell me in a few sentences, with ids and times.`,
      '1. Turn the day into `since` and `until` in UTC. Find the name of the workflow or handler: workflow_list (with q), function_list, schedule_list.',
      '2. Was it asked for? schedule_runs of its schedule says FIRED, SKIPPED or MISSED; run_list by name and time has the runs.',
      '3. How did the run end? run_get; for a workflow workflow_state, which names the step that failed; then run_events and run_logs (level warn) of that run or step. If it still waits: run_explain.',
      '4. Is it a dead letter? dlq_list by handler and time.',
      '5. What does the ledger say of its data? manifest_list, quality_list (status FAIL), anomaly_list, reject_list by run_id; watermark_gaps tells what is missing.',
      '6. Was it made up for later? run_list with the same name, later; look at retry_of_run_id.',
      LOOK_ONLY,
    ],
  },
  {
    listed: {
      name: 'why_waiting',
      title: 'Why does this run wait?',
      description: 'What holds a run back.',
      arguments: [argument('run_id', 'The run’s id.')],
    },
    text: (value) => [
      `Why does the run ${value('run_id') ?? ''} not go on?`,
      '1. run_explain has the reasons. 2. If it waits for a worker: worker_list (does one serve its lane and handler?) and queue_list (paused? how old is the oldest?). 3. If it waits for other runs or a limit: run_list of that lane, status running. 4. If it is a workflow: workflow_state, and run_explain of the step that is not done.',
      LOOK_ONLY,
    ],
  },
  {
    listed: {
      name: 'triage_dead_letters',
      title: 'Triage dead letters',
      description: 'What failed for good, why, and what to do with each.',
      arguments: [argument('handler', 'Of this handler only, e.g. task:load.', false)],
    },
    text: (value) => [
      `Go through the open dead letters${value('handler') === null ? '' : ` of the handler ${value('handler')}`}.`,
      '1. dlq_stats for the numbers, then dlq_list with resolved false. 2. Group them by handler, error category and message. 3. For one of each group: dlq_get, run_events and run_logs of its run; has a later run of the same name completed (run_list)? stats_history tells since when. 4. For each group say: the cause, whether it has passed (then replay), whether the input is wrong (then correct it first), or whether it can be closed (then resolve), with the ids.',
      LOOK_ONLY,
    ],
  },
  {
    listed: {
      name: 'is_data_ready',
      title: 'Is the data ready?',
      description: 'Whether a partition of a domain can be used, and what is missing.',
      arguments: [
        argument('domain', 'e.g. finra.otc.'),
        argument('partition', 'Which one, e.g. the week that ends on 2026-01-02.', false),
      ],
    },
    text: (value) => [
      `Is the data of the domain ${value('domain') ?? ''} ready${value('partition') === null ? '' : ` for ${value('partition')}`}?`,
      '1. readiness_list of the domain. 2. manifest_list: are all stages there? 3. quality_list with status FAIL and WARN, anomaly_list with resolved false, reject_summary. 4. watermark_list and watermark_gaps: what is missing, and is a run of it under way (run_list)? Answer yes or no first, then why.',
      LOOK_ONLY,
    ],
  },
  {
    listed: {
      name: 'morning_check',
      title: 'Morning check',
      description: 'What of the last day needs somebody.',
    },
    text: () => [
      'What happened in the last 24 hours that needs somebody?',
      '1. health, stats_dashboard. 2. stats_handlers for what fails, stats_history for since when. 3. dlq_list with resolved false. 4. schedule_list, and schedule_runs with status MISSED where the last time is too long ago. 5. queue_list for lanes that are paused or whose oldest run is old. 6. anomaly_list with resolved false. Answer with a short list, the worst first, each with ids.',
      LOOK_ONLY,
    ],
  },
];

export const LISTED_PROMPTS: readonly Prompt[] = PROMPTS.map(({ listed }) => listed);

function refuse(message: string): never {
  throw new McpError(ErrorCode.InvalidParams, message);
}

/** @throws McpError naming the prompt or argument that is unknown or missing */
export function getPrompt(
  name: string,
  args: Readonly<Record<string, string>>,
  clock: Clock,
): GetPromptResult {
  const prompt = PROMPTS.find(({ listed }) => listed.name === name);
  if (prompt === undefined) return refuse(`there is no prompt ${JSON.stringify(name)}`);
  const known = prompt.listed.arguments ?? [];
  const unknown = Object.keys(args).filter((each) => known.every(({ name }) => name !== each));
  if (unknown.length > 0) refuse(`${unknown.join(', ')}: not an argument of ${name}`);
  const values = new Map(Object.entries(args).filter(([, text]) => text !== ''));
  const missing = known.filter(({ name, required }) => required === true && !values.has(name));
  if (missing.length > 0) refuse(`${missing.map(({ name }) => name).join(', ')}: required`);
  const quoted = (each: string): string | null => {
    const text = values.get(each);
    return text === undefined ? null : JSON.stringify(text);
  };
  const lines = [...prompt.text(quoted), `It is ${clock.now().toISOString()} (UTC) now.`];
  return {
    description: prompt.listed.description ?? '',
    messages: [{ role: 'user', content: { type: 'text', text: lines.join('\n') } }],
  };
}
