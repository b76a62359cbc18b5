/** Completion scripts for shells, made of the command tree. They ask nobody: what they know is in them. */
import type { Place } from './tree.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

function quoted(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** All places but the program, as patterns of a shell's `case`. */
function placePatterns(places: readonly Place[]): string {
  return places
    .filter(({ at }) => at !== '')
    .map(({ at }) => quoted(at))
    .join(' | ');
}

/** The values of options that take one of a few, by place and option. */
function valueCases(places: readonly Place[], line: (choices: readonly string[]) => string): string[] {
  return places.flatMap(({ at, options }) =>
    options.flatMap(({ names, value }) =>
      value === null || value.choices.length === 0
        ? []
        : [`    ${names.map((name) => quoted(`${at}:${name}`)).join(' | ')}) ${line(value.choices)} ;;`],
    ),
  );
}

/** Options whose value is something nobody can name beforehand: those that take a file, and the others. */
function openValues(places: readonly Place[]): { readonly files: string; readonly others: string } {
  const open = places.flatMap(({ options }) =>
    options.flatMap(({ names, value }) =>
      value !== null && value.choices.length === 0 ? names.map((name) => ({ name, ...value })) : [],
    ),
  );
  const files = new Set(open.flatMap(({ name, isFile }) => (isFile ? [name] : [])));
  const others = new Set(open.flatMap(({ name }) => (files.has(name) ? [] : [name])));
  const listed = (names: ReadonlySet<string>): string => [...names].sort().join(' | ');
  return { files: listed(files), others: listed(others) };
}

function bash(places: readonly Place[]): string {
  const words = places.map(({ at, commands, options, values }) => {
    const names = [
      ...commands.map(({ name }) => name),
      ...values,
      ...options.flatMap((option) => option.names),
    ];
    return `    ${quoted(at)}) words=${quoted(names.join(' '))} ;;`;
  });
  return `# Completion of spine for bash: eval "$(spine completion bash)"
_spine() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at='' words='' word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at $word" in
      ${placePatterns(places)}) at="$at $word" ;;
    esac
  done
  COMPREPLY=()
  case "$previous" in
    ${openValues(places).files} | ${openValues(places).others}) return ;;
  esac
  case "$at:$previous" in
${valueCases(places, (choices) => `words=${quoted(choices.join(' '))}`).join('\n')}
  esac
  [[ -z $words ]] && case "$at" in
${words.join('\n')}
  esac
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
}
complete -o default -F _spine spine
`;
}

function described(name: string, description: string): string {
  return quoted(`${name.replace(/:/g, '\\:')}:${description}`);
}

function zsh(places: readonly Place[]): string {
  const items = places.map(({ at, commands, options, values }) => {
    const all = [
      ...values.map(quoted),
      ...commands.map(({ name, description }) => described(name, description)),
      ...options.flatMap(({ names, description }) => names.map((name) => described(name, description))),
    ];
    return `    ${quoted(at)}) items=(${all.join(' ')}) ;;`;
  });
  return `#compdef spine
# Completion of spine for zsh: source <(spine completion zsh)
_spine() {
  local at='' word previous=\${words[CURRENT-1]}
  local -a items
  for word in \${words[2,CURRENT-1]}; do
    case "$at $word" in
      ${placePatterns(places)}) at="$at $word" ;;
    esac
  done
  case "$previous" in
    ${openValues(places).files}) _files; return ;;
    ${openValues(places).others}) return 1 ;;
  esac
  case "$at:$previous" in
${valueCases(places, (choices) => `items=(${choices.map(quoted).join(' ')})`).join('\n')}
  esac
  (( \${#items} )) || case "$at" in
${items.join('\n')}
  esac
  _describe 'spine' items || _files
}
compdef _spine spine
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ at, commands, options, values }) => {
    const here = `complete -c spine -n ${fishQuoted(`__spine_at "${at}"`)}`;
    return [
      // Where a command is expected, a file is not.
      ...(commands.length === 0 ? [] : [`${here} -f`]),
      ...(values.length === 0 ? [] : [`${here} -a ${fishQuoted(values.join(' '))}`]),
      ...commands.map(({ name, description }) => `${here} -a ${name} -d ${fishQuoted(description)}`),
      ...options.map(({ names, description, value }) => {
        const flags = names.map((name) =>
          name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
        );
        const takes =
          value === null
            ? ''
            : value.choices.length > 0
              ? ` -x -a ${fishQuoted(value.choices.join(' '))}`
              : value.isFile
                ? ' -r -F'
                : ' -x';
        return `${here} ${flags.join(' ')}${takes} -d ${fishQuoted(description)}`;
      }),
    ];
  });
  const patterns = places
    .filter(({ at }) => at !== '')
    .map(({ at }) => fishQuoted(at))
    .join(' ');
  return `# Completion of spine for fish: spine completion fish | source
function __spine_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${patterns}
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

const SCRIPTS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish };

export function completionScript(shell: Shell, places: readonly Place[]): string {
  return SCRIPTS[shell](places);
}
