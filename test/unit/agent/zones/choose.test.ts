import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { createDriver } from '../../../../src/agent/zones/drivers/choose.js';
import { hostImage } from '../../../../src/agent/zones/drivers/config.js';
import { forgetProven, recallProven, rememberProven } from '../../../../src/agent/zones/drivers/proven.js';
import { createLogger } from '../../../../src/common/logging.js';

const config = {
  driver: 'smartos',
  zones: [],
  dataDir: '/nonexistent',
  installRoot: '/nonexistent',
  zoneUidBase: 10_000_000,
  zoneDefaultImage: '16.1.0',
} as const;

t.test('a driver that cannot work here is refused with a hint', async (t) => {
  const log = createLogger({ name: 'test', level: 'fatal' });
  await t.rejects(createDriver(config, log), { name: 'NoZoneDriverError', message: /SmartOS/ });
});

const versions: readonly (readonly [range: string, version: string])[] = [
  ['16.1.0', '16.1.0'],
  ['~16.1', '16.1.0'],
  ['>=15.4.1 <17', '15.4.1'],
  ['*', '0.0.0'],
];
for (const [range, version] of versions)
  t.same(hostImage({ ...config, zoneDefaultImage: range }), { name: 'host', version }, range);

t.test('what was proven is remembered until the runtime changes', async (t) => {
  const dataDir = t.testdir({ run: {}, runc: 'one' });
  const program = path.join(dataDir, 'runc');
  t.equal(await recallProven(dataDir, [program]), null);
  await rememberProven(dataDir, program);
  t.equal(await recallProven(dataDir, ['/other', program]), program);
  t.equal(await recallProven(dataDir, ['/other']), null, 'it is not installed any more');
  fs.writeFileSync(program, 'another one');
  t.equal(await recallProven(dataDir, [program]), null);
  await rememberProven(dataDir, program);
  await forgetProven(dataDir);
  t.equal(await recallProven(dataDir, [program]), null);
});
