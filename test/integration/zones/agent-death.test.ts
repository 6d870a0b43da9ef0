/** Zones end with their agent, however it dies, and the next agent finds nothing of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { containersWork, makeTestPlace, pidsWith, startTestZones } from '../../support/zones.js';

async function survivesAgentDeath(t: Test, kind: 'oci' | 'process'): Promise<void> {
  const place = await makeTestPlace(t, kind);
  const agent = spawn(
    process.execPath,
    [path.join(import.meta.dirname, '../../support/zone-agent.js'), JSON.stringify(place.config)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(agent.stdout, 'data'); // its zone runs a straggler
  const straggler = `straggler-${place.zone}`;
  t.ok((await pidsWith(straggler)).length > 0);
  agent.kill('SIGKILL');
  await once(agent, 'close');
  while ((await pidsWith(straggler)).length > 0) await delay(5); // the test's own time limit ends this
  t.pass('the zone ended with its agent');
  while ((await loopFilesBelow(place.config.dataDir)).length > 0) await delay(5);
  t.notMatch(await fs.readFile('/proc/self/mountinfo', 'utf8'), place.zone, 'and so did its mounts and loop devices');
  const zones = await startTestZones(t, kind, place);
  t.match(
    await (await zones.boot()).run('find $ROOT/var/tmp -type f'),
    { stdout: '' },
    'the next agent finds nothing of it',
  );
  const lives = await fs.readdir(path.join(place.config.dataDir, 'zones', place.zone, 'scratch')).catch(() => []);
  t.ok(lives.length <= 2, 'and has removed its disk');
}

/** The files of this directory that are a device of the machine's. */
async function loopFilesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const device of await fs.readdir('/sys/block')) {
    const file = await fs.readFile(`/sys/block/${device}/loop/backing_file`, 'utf8').catch(() => '');
    if (file.startsWith(directory)) found.push(file);
  }
  return found;
}

t.setTimeout(120_000);
t.test('process', (t) => survivesAgentDeath(t, 'process'));
t.test('oci', { skip: await containersWork() }, (t) => survivesAgentDeath(t, 'oci'));
