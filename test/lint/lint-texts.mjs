/**
 * Lints texts as if they were files of the workspace in the working directory, with this project's configuration. A
 * program of its own, because Nx finds its workspace once per process, by the working directory.
 *
 * Standard input: JSON `{ "texts": [{ "path", "code" }], "rules": ["no-eval", ...], "with_types": true }`; other rules are left out.
 * Standard output: JSON, per text the list of `{ "rule", "message" }`.
 */
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';

const { texts, rules, with_types: withTypes } = JSON.parse(await text(process.stdin));

const eslint = new ESLint({
  cwd: process.cwd(),
  overrideConfigFile: fileURLToPath(new URL('../../eslint.config.mjs', import.meta.url)),
  overrideConfig: {
    files: ['**/*.ts'],
    languageOptions: {
      // The texts are in no tsconfig: they need a project of their own, which is slow and has room for eight files.
      parserOptions: {
        projectService: withTypes ? { allowDefaultProject: texts.map(({ path }) => path) } : false,
      },
    },
  },
  ruleFilter: ({ ruleId }) => rules.includes(ruleId),
});

const results = [];
for (const { path, code } of texts) {
  const [result] = await eslint.lintText(code, { filePath: join(process.cwd(), path) });
  results.push(result.messages.map(({ ruleId, message }) => ({ rule: ruleId, message })));
}
process.stdout.write(JSON.stringify(results));
