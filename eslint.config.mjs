/**
 * Lint rules of the workspace. Formatting is Prettier's; here is what the compiler cannot say: which package may use
 * which, and what this code base does without. `test/lint` proves the rules that guard the architecture.
 */
import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import { createProjectGraphAsync } from '@nx/devkit';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

// Without a cached project graph enforce-module-boundaries prints a warning and skips itself: make sure there is one.
process.env.NX_DAEMON ??= 'false';
await createProjectGraphAsync({ exitOnError: false });

/** Each layer may use the layers named, and nothing of its own layer. */
const FOUNDATION = ['core', 'config', 'observability'];
const ENGINE = [...FOUNDATION, 'database', 'execution'];
const BELOW_DOMAINS = [...ENGINE, 'scheduling', 'orchestration', 'runtimes', 'framework'];
const LAYERS = {
  core: [],
  config: ['core'],
  observability: ['core'],
  database: FOUNDATION,
  execution: [...FOUNDATION, 'database'],
  scheduling: ENGINE,
  orchestration: ENGINE,
  runtimes: ENGINE,
  framework: [...ENGINE, 'scheduling', 'orchestration', 'runtimes'],
  domain: BELOW_DOMAINS,
  // Calls the API as anybody does: it needs nothing of the workspace, so that it can be installed alone.
  sdk: [],
  mcp: [...FOUNDATION, 'sdk'],
  cli: [...ENGINE, 'orchestration', 'sdk', 'mcp'],
  examples: [...BELOW_DOMAINS, 'domain'],
  // What a deployment can run: the one place that names every domain.
  catalog: [...BELOW_DOMAINS, 'domain', 'examples'],
  testing: ['core', 'config', 'database', 'execution'],
  // Each service has its own tag; none is named here, so no service imports another.
  api: [...BELOW_DOMAINS, 'domain', 'examples', 'catalog'],
  worker: [...BELOW_DOMAINS, 'domain', 'examples', 'catalog'],
  scheduler: [...BELOW_DOMAINS, 'domain', 'examples', 'catalog'],
};

/** A domain is pure logic and handlers: it reaches the world through what the layers below give it. */
const DRIVERS = ['pg', 'ioredis', 'bullmq', 'undici', 'axios', '@nestjs/*'];

const depConstraints = Object.entries(LAYERS).map(([layer, allowed]) => ({
  sourceTag: `layer:${layer}`,
  onlyDependOnLibsWithTags: [
    ...allowed.map((each) => `layer:${each}`),
    // The calendar is what the other domains count their days with.
    ...(layer === 'domain' ? ['domain:reference-calendar'] : []),
  ],
  ...(layer === 'domain' ? { bannedExternalImports: DRIVERS } : {}),
}));

const NETWORK_AND_PROCESSES = ['http', 'https', 'http2', 'net', 'tls', 'dgram', 'child_process'];

const withPrefix = (names) => names.flatMap((name) => [name, `node:${name}`]);

const ban = (names, message) => withPrefix(names).map((name) => ({ name, message }));

const NO_VM = ban(['vm'], 'Code is never made from data.');
const NO_ENV_IMPORT = ban(['process'], 'Environment variables are read in @spine/config alone.').map(
  (path) => ({
    ...path,
    importNames: ['env'],
  }),
);
const NO_NEST = {
  group: ['@nestjs/*'],
  message: 'NestJS appears in services and in *.module.ts files alone: engines are plain classes.',
};
const NO_DRIVER_MODULES = ban(
  NETWORK_AND_PROCESSES,
  'A domain does no network or process I/O itself: use what the framework gives it.',
);

// A rule's options replace those of an earlier entry for the same file: every entry below states them whole.
const noEnvironment = {
  'no-restricted-properties': [
    'error',
    { object: 'process', property: 'env', message: 'Environment variables are read in @spine/config alone.' },
  ],
};

const restrictedImports = (paths, patterns = []) => ({
  'no-restricted-imports': ['error', { paths, patterns }],
});

const SYNTAX = [
  {
    selector: 'TSEnumDeclaration',
    message: 'Use a const object and a union type: enums do not survive type stripping.',
  },
  {
    selector:
      "TSAsExpression[expression.type='TSAsExpression'][expression.typeAnnotation.type='TSUnknownKeyword']",
    message: 'A cast through unknown says nothing true: parse or narrow the value.',
  },
  {
    selector:
      'CallExpression[callee.property.name=/^(get|set)(Date|Day|FullYear|Hours|Milliseconds|Minutes|Month|Seconds)$/]',
    message: 'Local date parts differ by machine: use the UTC methods or plain dates.',
  },
  {
    selector:
      'MemberExpression[object.name=/^(describe|it|suite|test)$/][property.name=/^(fails|only|skip|skipIf|todo)$/]',
    message: 'Tests are not skipped. What needs data that may be absent states its condition with runIf.',
  },
  { selector: 'ImportExpression[source.value=/^(node:)?vm$/]', message: 'Code is never made from data.' },
];
const NO_PARAMETER_PROPERTIES = {
  selector: 'TSParameterProperty',
  message: 'Node runs these files by stripping types, which parameter properties do not survive.',
};
const NO_DYNAMIC_DRIVER_MODULES = {
  selector: `ImportExpression[source.value=/^(node:)?(${NETWORK_AND_PROCESSES.join('|')})$/]`,
  message: 'A domain does no network or process I/O itself: use what the framework gives it.',
};

const ENVIRONMENT_READERS = [
  'libs/config/**',
  'libs/testing/**',
  'test/**',
  'scripts/**',
  '*.config.{ts,mjs}',
];

export default defineConfig(
  globalIgnores(['**/dist/', '**/out-tsc/', '**/coverage/', '**/generated/', '.nx/', '.spine/', 'data/']),
  // A suppressed rule is a rule somebody has to look for: there are no exceptions in comments.
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{ts,mjs}'],
    rules: {
      eqeqeq: ['error', 'always'],
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'anywhere' }],
      'no-restricted-syntax': ['error', ...SYNTAX],
      ...restrictedImports(NO_VM),
    },
  },
  {
    files: ['**/*.mjs'],
    // Node runs both these files and the linter. TypeScript files are checked by the compiler.
    languageOptions: {
      globals: Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly'])),
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      // With types, chosen one by one: each finds bugs that the compiler lets through.
      '@typescript-eslint/no-implied-eval': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { requireDefaultForNonUnion: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-unsafe-assignment': 'error',
      '@typescript-eslint/no-unsafe-call': 'error',
      '@typescript-eslint/no-unsafe-member-access': 'error',
      '@typescript-eslint/no-unsafe-return': 'error',
    },
  },
  {
    files: ['libs/**', 'services/**'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { depConstraints, enforceBuildableLibDependency: true, banTransitiveDependencies: true },
      ],
    },
  },
  {
    files: ['**/*.{ts,mjs}'],
    ignores: ENVIRONMENT_READERS,
    rules: { ...noEnvironment, ...restrictedImports([...NO_VM, ...NO_ENV_IMPORT]) },
  },
  {
    files: ['libs/**/*.ts'],
    ignores: ['**/*.module.ts', ...ENVIRONMENT_READERS],
    rules: restrictedImports([...NO_VM, ...NO_ENV_IMPORT], [NO_NEST]),
  },
  {
    files: ['libs/{config,testing}/**/*.ts'],
    rules: restrictedImports(NO_VM, [NO_NEST]),
  },
  {
    files: ['libs/**/*.ts', 'services/{worker,scheduler}/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...SYNTAX, NO_PARAMETER_PROPERTIES] },
  },
  {
    files: ['libs/domains/**/*.ts'],
    rules: {
      ...restrictedImports([...NO_VM, ...NO_ENV_IMPORT, ...NO_DRIVER_MODULES], [NO_NEST]),
      'no-restricted-syntax': ['error', ...SYNTAX, NO_PARAMETER_PROPERTIES, NO_DYNAMIC_DRIVER_MODULES],
      'no-restricted-globals': ['error', 'fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'],
    },
  },
);
