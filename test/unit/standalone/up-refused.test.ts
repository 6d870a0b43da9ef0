/** What `marlin up` writes before it starts a service, and takes back when it starts none. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadBox } from '../../../src/standalone/box.js';
import { writeConfigs } from '../../../src/standalone/configs.js';
import { layoutOf, makeDirectories, services } from '../../../src/standalone/layout.js';
import { checkConfig } from '../../../src/standalone/operate/config-check.js';
import { choosePorts } from '../../../src/standalone/ports.js';
import { marlinCommand } from '../../support/one-box.js';

function up(data: string, ...args: readonly string[]): number | null {
  return spawnSync(marlinCommand, ['up', '--data', data, '--port-base', '0', ...args]).status;
}

t.test('a start that is refused leaves nothing of a directory that it made', (t) => {
  const work = t.testdir({ mine: {}, images: {} });
  for (const args of [
    ['--account', '../x'],
    ['--key', '/nowhere/id.pub'],
    ['--images', path.join(work, 'images')],
  ]) {
    t.equal(up(path.join(work, 'new', 'below', 'data'), ...args), 1);
    t.same(fs.readdirSync(work).sort(), ['images', 'mine'], args.join(' '));
  }
  t.equal(up(path.join(work, 'mine'), '--account', '../x'), 1);
  t.ok(fs.existsSync(path.join(work, 'mine')), 'but what was there');
  fs.writeFileSync(path.join(work, 'mine', 'file'), '');
  t.equal(up(path.join(work, 'mine'), '--account', '../x'), 1);
  t.ok(fs.existsSync(path.join(work, 'mine', 'file')));
  t.end();
});

t.test('services know every key of the configurations that it writes', async (t) => {
  const layout = layoutOf(t.testdir());
  makeDirectories(layout);
  const images = { imagesDir: '/images', images: ['16.1.0'] };
  writeConfigs(layout, loadBox(layout, 2), await choosePorts(layout, 0), { host: '::1', driver: 'auto', ...images });
  for (const service of services) t.same(checkConfig(layout.config(service)), { service, unknownKeys: [] });
});
