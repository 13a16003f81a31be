/**
 * The import law (CONTRIBUTING.md). schemas <- agent, reconciler, cli; no edge between those three except that two commands
 * load one `main` each, dynamically; core <- loop <- main. `npm run check:imports` also asserts how many modules were seen,
 * because a cruise of nothing has no violations.
 */
const code = '^(agent|cli|reconciler|schemas)/';
/** The commands that run, or simulate, another part. */
const doors = '^cli/commands/(agent|agent/(un)?install|reconciler|plan|render|backup|restore)\\.ts$';

/** A part may know itself, schemas, node and npm. `allowed` is for the doors between processes. */
const stranger = (part, others, allowed = {}) => ({
  name: `${part}-knows-no-${others.join('-or-')}`,
  severity: 'error',
  from: { path: `^${part}/`, ...(allowed.from ? { pathNot: allowed.from } : {}) },
  to: { path: `^(${others.join('|')})/` },
});

module.exports = {
  forbidden: [
    stranger('schemas', ['agent', 'cli', 'reconciler', 'test']),
    stranger('agent', ['cli', 'reconciler', 'test']),
    stranger('reconciler', ['agent', 'cli', 'test']),
    stranger('cli', ['agent', 'reconciler', 'test'], { from: doors }),
    {
      name: 'the-doors-open-to-main-only',
      comment:
        'oakctl agent, oakctl reconciler, oakctl plan --offline and oakctl render load one main each, and only by dynamic import',
      severity: 'error',
      from: { path: doors },
      to: { path: '^(agent|reconciler)/', pathNot: '^(agent/main|reconciler/((plan|render|backup)-)?main)\\.ts$' },
    },
    {
      name: 'the-doors-are-dynamic',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(agent|reconciler)/', dynamic: false },
    },
    {
      name: 'core-imports-schemas-only',
      comment: 'decisions are pure: no I/O, no npm package, no node module, not even crypto of their own',
      severity: 'error',
      from: { path: '^(agent|reconciler)/core/' },
      to: { pathNot: ['^schemas/[^/]+\\.ts$', '^agent/core/', '^reconciler/core/'] },
    },
    {
      name: 'cores-do-not-meet',
      severity: 'error',
      from: { path: '^(agent|reconciler)/core/' },
      to: { path: '^(agent|reconciler)/', pathNot: '^$1/core/' },
    },
    {
      name: 'contract-does-no-io',
      comment: 'schemas/io holds the adapters that two sides share; the contract itself must not need them',
      severity: 'error',
      from: { path: '^schemas/[^/]+\\.ts$' },
      to: { path: '^schemas/io/' },
    },
    {
      name: 'ajv-lives-in-parse',
      severity: 'error',
      from: { path: code, pathNot: '^schemas/parse\\.ts$' },
      to: { path: '(^|/)node_modules/(ajv|ajv-formats)/' },
    },
    {
      name: 'runtimes-do-not-know-the-loop',
      severity: 'error',
      from: { path: '^agent/(runtimes|network|metrics)/' },
      to: { path: '^agent/(loop[^/]*|main)\\.ts$' },
    },
    {
      name: 'adapters-do-not-know-the-loop',
      severity: 'error',
      from: { path: '^reconciler/(api|broker|git|keys|mqtt|store|web)/' },
      to: { path: '^reconciler/(loop[^/]*|main)\\.ts$' },
    },
    {
      name: 'nobody-imports-main',
      severity: 'error',
      from: { path: code, pathNot: doors },
      to: { path: '^(agent|reconciler)/main\\.ts$' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-the-product',
      severity: 'error',
      from: { path: code },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json', '.d.ts'],
    },
  },
};
