/**
 * The direction of imports: a folder of src/ imports only from folders below it in this list, and a service never
 * imports another service.
 */
const layers = [
  'standalone',
  'cli',
  'supervisor',
  'agent',
  'lackey',
  'zonetools',
  'frontdoor',
  'storage',
  'archiver',
  'jobs',
  'accounts',
  'bus',
  'moray',
  'taskapi',
  'records',
  'http',
  'common',
];
const services = ['supervisor', 'agent', 'lackey', 'zonetools', 'frontdoor', 'storage', 'archiver', 'moray/server'];

const upwards = layers.slice(1).map((layer, index) => ({
  name: `${layer}-imports-only-from-below`,
  severity: 'error',
  from: { path: `^src/${layer}/` },
  to: { path: `^src/(${layers.slice(0, index + 1).join('|')})/` },
}));

/** The composition root starts services: it is the one place that may import them. */
const sideways = services.map((service) => ({
  name: `${service.replace('/', '-')}-is-no-library`,
  severity: 'error',
  from: { path: '^src/', pathNot: [`^src/${service}/`, '^src/standalone/'] },
  to: { path: `^src/${service}/` },
}));

module.exports = {
  forbidden: [
    ...upwards,
    ...sideways,
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'lackey-starts-fast',
      comment: 'it loads only taskapi/ and modules of Node itself',
      severity: 'error',
      from: { path: '^src/lackey/' },
      to: { pathNot: ['^src/(lackey|taskapi)/'], dependencyTypesNot: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
