import t from 'tap';
import { createDriver } from '../../../../src/agent/zones/drivers/choose.js';
import { hostImage } from '../../../../src/agent/zones/drivers/config.js';
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
