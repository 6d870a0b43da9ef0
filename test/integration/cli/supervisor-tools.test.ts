/** The operator's commands of a supervisor, asked of a real one. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { createLogger } from '../../../src/common/logging.js';
import { startService } from '../../../src/supervisor/service.js';
import { startTestMoray } from '../../support/moray.js';
import { commandWith } from '../../support/mrjob.js';
import { supervisorConfig } from '../../support/supervisor-config.js';

const owner = '11111111-1111-4111-8111-111111111111';
const config = (url: string) => ({
  instanceUuid: 'sup-1',
  port: 0,
  manta: { url: 'http://127.0.0.1:1' },
  moray: { index: { url }, storage: { url } },
  auth: { url: 'http://127.0.0.1:1' },
});

t.test('mrsup', async (t) => {
  const moray = await startTestMoray(t);
  await moray.client.putBucket('manta_storage', { index: { manta_compute_id: { type: 'string' } } });
  const { port, stop } = await startService(
    supervisorConfig(config(moray.url)),
    createLogger({ name: 'test', level: 'fatal', stream: process.stderr }),
  );
  t.teardown(stop);
  const mrsup = commandWith('mrsup', {});
  const here = ['-h', '127.0.0.1', '-p', String(port)];
  const quiesced = async () => {
    const { status, stdout } = await mrsup(...here, 'get');
    t.equal(status, 0);
    const { service, worker } = JSON.parse(stdout) as {
      readonly service: { readonly ident: string };
      readonly worker: Readonly<Record<string, { readonly quiesced: boolean }>>;
    };
    t.equal(service.ident, 'sup-1');
    return worker['sup-1']?.quiesced;
  };
  const silent = { status: 0, stdout: '', stderr: '' };
  // Its own domain begins a moment after it listens.
  while ((await mrsup(...here, 'unquiesce')).status !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(await quiesced(), false);
  t.same(await mrsup(...here, 'quiesce'), silent);
  t.equal(await quiesced(), true);
  t.same(await mrsup(...here, 'unquiesce'), silent);
  t.equal(await quiesced(), false);
  t.match(await mrsup('resume'), { status: 2, stderr: 'mrsup: invalid command: resume\nusage: mrsup ' });
  t.match(await mrsup('-p', 'x', 'get'), { status: 2, stderr: 'mrsup: invalid port: x\n' });
  t.match(await mrsup(), { status: 2, stderr: 'usage: mrsup [-h HOST] [-p PORT] get | quiesce | unquiesce\n' });
  t.match(await mrsup('-h', '127.0.0.1', '-p', '1', 'get'), { status: 1, stderr: /^mrsup: failed to hit "http:/ });
});

t.test('mlocate', async (t) => {
  const moray = await startTestMoray(t);
  const { client } = moray;
  await client.putBucket('manta', { index: { type: { type: 'string' } } });
  await client.putBucket('manta_storage', { index: { manta_storage_id: { type: 'string' } } });
  await client.putObject('manta_storage', 'a', {
    ...{ manta_storage_id: '1.stor', manta_compute_id: '1.cn', zone_uuid: 'zone-1' },
  });
  const object = { type: 'object', owner, objectId: 'o1', contentLength: 3, sharks: [{ manta_storage_id: '1.stor' }] };
  const key = (name: string) => `/${owner}/stor/${name}`;
  await client.putObject('manta', key('one'), object);
  const sharks = [...object.sharks, { manta_storage_id: '2.stor' }];
  await client.putObject('manta', key('linked'), { ...object, creator: 'another', roles: ['r1'], sharks });
  await client.putObject('manta', key('directory'), { type: 'directory', owner });
  await client.putObject('manta', key('broken'), { ...object, sharks: 'none' });
  await client.putObject('manta', key('nowhere'), { ...object, sharks: [] });
  await client.putObject('manta', key('empty'), { ...object, sharks: [], contentLength: 0 });

  const file = path.join(moray.directory, 'supervisor.json');
  fs.writeFileSync(file, JSON.stringify(config(moray.url)));
  const mlocate = commandWith('mlocate', {});
  const names = ['one', 'linked', 'missing', 'directory', 'broken', 'nowhere', 'empty'].map(key);
  const { status, stdout, stderr } = await mlocate(file, ...names);
  t.same([status, stderr], [0, '']);
  t.ok(stdout.startsWith(`{\n    "${key('one')}": {\n        "creator": "${owner}",\n`), 'indented by four');
  const found = { owner, objectid: 'o1', contentLength: 3, roles: [] };
  const near = { mantaStorageId: '1.stor', mantaComputeId: '1.cn', zonename: 'zone-1' };
  const refused = (code: string, message: string) => ({ error: { code, message } });
  t.strictSame(JSON.parse(stdout), {
    [key('one')]: { ...found, creator: owner, sharks: [near] },
    [key('linked')]: {
      ...{ ...found, creator: 'another', roles: ['r1'] },
      sharks: [near, { mantaStorageId: '2.stor', mantaComputeId: null, zonename: null }],
    },
    [key('missing')]: refused('ResourceNotFoundError', `no such object: "${key('missing')}"`),
    [key('directory')]: refused(
      'InvalidArgumentError',
      `objects of type "directory" are not supported: "${key('directory')}"`,
    ),
    [key('broken')]: refused('InternalError', `missing or invalid "sharks" property: "${key('broken')}"`),
    [key('nowhere')]: refused('InternalError', `no sharks found for non-empty object: "${key('nowhere')}"`),
    [key('empty')]: { ...found, creator: owner, contentLength: 0, sharks: [] },
  });
  t.match(await mlocate(file), { status: 2, stderr: 'usage: mlocate conffile key [key...]\n' });
  t.match(await mlocate('/nonexistent', key('one')), { status: 1, stderr: /^mlocate: cannot read configuration/ });
  fs.writeFileSync(file, JSON.stringify(config('tcp://127.0.0.1:1')));
  t.match(await mlocate(file, key('one')), { status: 1, stderr: /^mlocate: failed to connect to "tcp:/ });
});
