import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { checkConfig } from '../../../src/standalone/operate/config-check.js';
import { configReference } from '../../../src/standalone/operate/config-reference.js';

const directory = t.testdir();
function written(name: string, config: unknown): string {
  const file = path.join(directory, name);
  fs.writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return file;
}
const agent = {
  instanceUuid: 'u',
  mantaComputeId: '1.cn',
  manta: { url: 'http://m' },
  moray: { url: 'tcp://m' },
  zones: ['z'],
  dataDir: '/d',
  installRoot: '/i',
};

t.test('a good file, named after its service or not', async (t) => {
  t.same(checkConfig(written('agent.json', agent)), { service: 'agent', unknownKeys: [] });
  t.same(checkConfig(written('mine.json', agent), 'agent').service, 'agent');
  const more = { ...agent, colour: 1, tunables: { timeHeartbaet: 1 } };
  t.same(checkConfig(written('agent.json', more)).unknownKeys, ['tunables.timeHeartbaet', 'colour'].reverse());
});

t.test('what is wrong is named by key, value and what was expected', async (t) => {
  // biome-ignore format: table
  const cases: readonly (readonly [change: object, message: RegExp])[] = [
    [{ driver: 'docker' },                        /driver: must be one of "auto", "oci", "smartos", "process", is "docker"/],
    [{ port: 'x' },                               /port: must be integer, is "x"/],
    [{ port: 70_000 },                            /port: must be <= 65535, is 70000/],
    [{ dataDir: undefined },                      /the file: must have required property 'dataDir'/],
    [{ tunables: { zoneDiskSlopPercent: 101 } },  /tunables\.zoneDiskSlopPercent: must be <= 100, is 101/],
    [{ storage: [{ zonename: 'z' }] },            /storage\.0: must have required property 'root'/],
  ];
  for (const [change, message] of cases) {
    t.throws(() => checkConfig(written('agent.json', { ...agent, ...change })), { message }, String(message));
  }
  t.throws(() => checkConfig(written('agent.json', '{')), /cannot read configuration ".*agent\.json": .*JSON/);
  t.throws(() => checkConfig(written('other.json', {})), /"other" is none of the services.*moray, storage/);
});

t.test('the reference page is the one that the schemas give', async (t) => {
  const page = new URL('../../../../docs/configuration.md', import.meta.url);
  t.equal(fs.readFileSync(page, 'utf8'), configReference(), 'else: marlin config reference >docs/configuration.md');
});
