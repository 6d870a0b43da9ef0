import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { loadBox } from '../../../src/standalone/box.js';
import { layoutOf, makeDirectories } from '../../../src/standalone/layout.js';
import { choosePorts } from '../../../src/standalone/ports.js';

t.test('ids are made once and kept; the number of zones may change', async (t) => {
  const layout = layoutOf(t.testdir());
  makeDirectories(layout);
  const first = loadBox(layout, 2);
  const second = loadBox(layout, 3);
  t.same({ ...second, zones: second.zones.slice(0, 2) }, first);
  t.equal(loadBox(layout, undefined).zones.length, 3);
  t.equal(fs.statSync(layout.box).mode & 0o777, 0o600);
});

t.test('a directory of a newer version is refused, a damaged one named', async (t) => {
  const layout = layoutOf(t.testdir());
  makeDirectories(layout);
  fs.writeFileSync(layout.box, JSON.stringify({ formatVersion: 99 }));
  t.throws(() => loadBox(layout, undefined), { name: 'BoxError', message: /newer Marlin \(format 99/ });
  fs.writeFileSync(layout.box, '{');
  t.throws(() => loadBox(layout, undefined), { name: 'BoxError', message: /box\.json" cannot be read/ });
});

t.test('ports: fixed, in a row, or free ones that are kept', async (t) => {
  const layout = layoutOf(t.testdir());
  makeDirectories(layout);
  const free = await choosePorts(layout, 0);
  const { storage, ...single } = free;
  const all = [...storage, ...Object.values(single)];
  t.equal(new Set(all).size, 10, 'all differ');
  t.same(await choosePorts(layout, 0), free);
  t.same(await choosePorts(layout, undefined), free);
  t.match(await choosePorts(layout, 5000), {
    moray: 5000,
    frontdoor: 5001,
    storage: [5002, 5003],
    mahi: 5004,
    supervisor: 5005,
    agent: 5006,
    morayMonitor: 5007,
    archiver: 5008,
    frontdoorMonitor: 5009,
  });
  t.match(await choosePorts(layoutOf(t.testdir({ etc: {} })), undefined), {
    moray: 2020,
    frontdoor: 8080,
    agent: 9080,
    archiver: 8091,
  });
});

t.test('ports that somebody else has by now are replaced where free ones are asked for', async (t) => {
  const layout = layoutOf(t.testdir());
  makeDirectories(layout);
  const { moray, storage, ...others } = await choosePorts(layout, 0);
  for (const port of [moray, storage[1]]) {
    const server = net.createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
  }
  t.match(await choosePorts(layout, undefined), { moray, storage }, 'not where what the box has is asked for');
  const ports = await choosePorts(layout, 0);
  t.match(ports, { ...others, storage: [storage[0]] });
  t.not(ports.moray, moray);
  t.not(ports.storage[1], storage[1]);
  t.equal(new Set(Object.values(ports).flat()).size, 10, 'all differ');
  t.same(await choosePorts(layout, 0), ports, 'and are kept');
});

t.test('a box of a version without an archiver gets ports for what it lacks', async (t) => {
  const layout = layoutOf(t.testdir());
  makeDirectories(layout);
  const { archiver: _archiver, frontdoorMonitor: _frontdoorMonitor, ...older } = await choosePorts(layout, 0);
  fs.writeFileSync(layout.ports, JSON.stringify(older));
  const ports = await choosePorts(layout, undefined);
  t.match(ports, older);
  t.ok(ports.archiver > 0);
  t.ok(ports.frontdoorMonitor > 0);
  t.same(await choosePorts(layout, 0), ports, 'and keeps them');
});
