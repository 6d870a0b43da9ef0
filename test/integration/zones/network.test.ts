/** Zones with `network: outbound`, in a world of their own: they reach the rest of it, and nothing of the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { networkRules } from '../../../src/agent/zones/drivers/oci/network.js';
import type { World } from '../../support/network-world.js';
import { containersWork, makeTestPlace } from '../../support/zones.js';

const get = (url: string) => `curl -sS --max-time 20 ${url}`;

async function reachesTheWorld(t: Test): Promise<void> {
  const place = await makeTestPlace(t, 'oci');
  const world: World = { place, networkDeny: ['198.51.100.3', '192.0.2.0/24'] };
  const file = path.join(import.meta.dirname, '../../support/network-world.js');
  const argv = ['--net', '--mount', process.execPath, file, JSON.stringify(world)];
  const machine = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: machine.stdout })[Symbol.asyncIterator]();
  const ask = async (request: object) => {
    machine.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await answers.next();
    if (done === true) throw new Error('the world has ended');
    return JSON.parse(value as string) as Record<string, unknown>;
  };
  const run = (script: string) => ask({ script });

  t.match(await run(get('http://198.51.100.2/')), { status: 0, stdout: 'peer 198.51.100.2\n' }, 'an address');
  t.match(await run(get('http://peer.example/')), { status: 0, stdout: 'peer 198.51.100.2\n' }, 'a name');
  const refused: readonly (readonly [what: string, address: string])[] = [
    ["the machine's loopback, by the way out", '10.0.2.2:8080'],
    ["the machine's address", '198.51.100.1:8080'],
    ["the machine's other address", '203.0.113.1:8080'],
    ["the machine's private address", '10.9.9.1:8080'],
    ['a private neighbour', '10.9.9.2'],
    ['what the operator denies', '198.51.100.3'],
    ['a range that the operator denies', '192.0.2.9'],
    ['the metadata service of a cloud', '169.254.169.254'],
    ['the name server, but for names', '10.0.2.3:8080'],
  ];
  for (const [what, address] of refused)
    t.match(
      await run(get(`http://${address}/`)),
      { status: /^7$/, stderr: /refused|No route|unreachable|Couldn't connect/ },
      what,
    );
  t.match(await run(get('http://127.0.0.1:8080/')), { status: 7 }, 'loopback is its own');
  t.match(await run(get('-g http://[2001:db8::1]/')), { status: 7 }, 'IPv6');
  t.match(await run('nft flush ruleset || ip link del net0 || ip route flush table main || perl -e "exit 9"'), {
    status: 9,
  });
  t.match(await run(get('http://198.51.100.1:8080/')), { status: 7 }, 'and it stays so');
  t.match(await run('tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort'), { stdout: 'lo\nnet0\n' });
  const usage = await ask({ usage: true });
  t.ok(Number(usage['networkReceivedBytes']) > 100 && Number(usage['networkSentBytes']) > 100, 'it is metered');
  const ended = once(machine, 'exit');
  machine.stdin.end();
  t.same(await ended, [0, null]);
}

t.test('rules refuse what the machine has and the operator denies', async (t) => {
  const rules = networkRules(['192.0.2.2', '::1', 'fe80::1'], ['203.0.113.0/24', 'nonsense; }']);
  t.match(rules, /elements = \{ [0-9., /]+192\.0\.2\.2, 203\.0\.113\.0\/24 \}/);
});

t.setTimeout(120_000);
const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
t.test('outbound', { skip: needsRoot || (await containersWork()) || (await missing()) }, reachesTheWorld);

/** @returns false if every program is there, else which is not. */
async function missing(): Promise<string | false> {
  for (const program of ['slirp4netns', 'nft', 'ip']) {
    const [status] = await once(spawn('bash', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]), 'exit');
    if (status !== 0) return `"${program}" is not installed`;
  }
  return false;
}
