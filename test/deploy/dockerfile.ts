/** A Dockerfile as stages of instructions, and what ours may not do. */

export interface Instruction {
  /** Upper case, e.g. `COPY`. */
  readonly name: string;
  /** What follows the name, continued lines joined by a space. */
  readonly text: string;
  /** 1-based line it starts on. */
  readonly line: number;
}

export interface Stage {
  readonly name: string;
  /** The stage or image it starts from. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** Instructions in order; comments and empty lines are left out. */
export function parseInstructions(dockerfile: string): Instruction[] {
  const instructions: Instruction[] = [];
  let open: { text: string; line: number } | null = null;
  dockerfile.split('\n').forEach((raw, index) => {
    const text = raw.trim();
    if (text === '' || text.startsWith('#')) return;
    const continues = text.endsWith('\\');
    const part = continues ? text.slice(0, -1).trim() : text;
    open = { text: open === null ? part : `${open.text} ${part}`, line: open?.line ?? index + 1 };
    if (continues) return;
    const [name = '', ...rest] = open.text.split(/\s+/);
    instructions.push({ name: name.toUpperCase(), text: rest.join(' '), line: open.line });
    open = null;
  });
  return instructions;
}

export function parseStages(dockerfile: string): Stage[] {
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const instruction of parseInstructions(dockerfile)) {
    const stage = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(instruction.text);
    if (instruction.name === 'FROM') {
      stages.push({ name: stage?.[2] ?? `${stages.length}`, from: stage?.[1] ?? '', instructions: [] });
    } else {
      stages.at(-1)?.instructions.push(instruction);
    }
  }
  return stages;
}

/** The stage `name` and those it starts from, itself first. */
export function lineage(stages: readonly Stage[], name: string): Stage[] {
  const stage = stages.find((each) => each.name === name);
  return stage === undefined ? [] : [stage, ...lineage(stages, stage.from)];
}

/** What an image made of the stage `name` has for an instruction of which the last one counts, e.g. `USER`. */
export function effective(stages: readonly Stage[], name: string, instruction: string): string | undefined {
  for (const stage of lineage(stages, name)) {
    const last = stage.instructions.findLast((each) => each.name === instruction);
    if (last !== undefined) return last.text;
  }
  return undefined;
}

/** Stages that nothing else is made of: the images somebody runs. */
export function targets(stages: readonly Stage[]): string[] {
  const used = new Set(stages.flatMap((stage) => [stage.from, ...stage.instructions.map(copiedFrom)]));
  return stages.map((stage) => stage.name).filter((name) => !used.has(name));
}

/** The stage a COPY takes from; undefined for the build context and for other instructions. */
export function copiedFrom({ name, text }: Instruction): string | undefined {
  return name === 'COPY' ? /(?:^|\s)--from=(\S+)/.exec(text)?.[1] : undefined;
}

/** What a COPY takes from the build context. */
export function copiedFromContext(instruction: Instruction): string[] {
  if (instruction.name !== 'COPY' || copiedFrom(instruction) !== undefined) return [];
  return instruction.text
    .split(/\s+/)
    .filter((word) => !word.startsWith('--'))
    .slice(0, -1);
}

function isExecForm(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) && parsed.length > 0 && parsed.every((word) => typeof word === 'string');
  } catch {
    return false;
  }
}

function imageProblems(stages: readonly Stage[]): string[] {
  const names = new Set(stages.map(({ name }) => name));
  return stages
    .filter(({ from }) => !names.has(from))
    .filter(({ from }) => !/:[\w.-]*\d[\w.-]*$|@sha256:[0-9a-f]{64}$/.test(from))
    .map(({ name, from }) => `stage ${name}: ${from} names no version`);
}

function instructionProblems(stage: Stage, earlier: readonly Stage[]): string[] {
  return stage.instructions.flatMap((instruction) => {
    const { name, text, line } = instruction;
    const problems: string[] = [];
    if (name === 'ADD') problems.push('ADD also unpacks and downloads: use COPY');
    if ((name === 'CMD' || name === 'ENTRYPOINT') && !isExecForm(text)) {
      problems.push(`${name} runs a shell, which does not pass signals on: use the exec form`);
    }
    if (name === 'RUN' && /\bnpm\s+(?:install|i|add|update)\b/.test(text)) {
      problems.push('npm ci installs what the lock file says, npm install does not');
    }
    if (copiedFromContext(instruction).some((source) => /^\.?\/?$/.test(source))) {
      problems.push('COPY of the whole context: name what is needed');
    }
    const from = copiedFrom(instruction);
    if (from !== undefined && !earlier.some((each) => each.name === from)) {
      problems.push(`COPY from ${from}, which is no earlier stage`);
    }
    return problems.map((problem) => `line ${line}: ${problem}`);
  });
}

function targetProblems(stages: readonly Stage[]): string[] {
  return targets(stages).flatMap((name) => {
    const user = effective(stages, name, 'USER');
    const problems: string[] = [];
    if (user === undefined || /^(?:0|root)(?::|$)/.test(user)) problems.push(`target ${name} runs as root`);
    if (effective(stages, name, 'CMD') === undefined) problems.push(`target ${name} has no CMD`);
    return problems;
  });
}

/** Everything wrong with a Dockerfile, one line each; empty when nothing is. */
export function lintDockerfile(dockerfile: string): string[] {
  const stages = parseStages(dockerfile);
  return [
    // The named frontend would be downloaded before each build, from wherever it is now.
    ...(/^\s*#\s*syntax\s*=/im.test(dockerfile) ? ['# syntax= asks for a frontend from the network'] : []),
    ...imageProblems(stages),
    ...stages.flatMap((stage, index) => instructionProblems(stage, stages.slice(0, index))),
    ...targetProblems(stages),
  ];
}
