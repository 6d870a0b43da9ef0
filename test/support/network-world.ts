/**
 * A small world for zones with a network, run as a process in a network and a mount namespace of its own:
 *
 *   zone --slirp4netns-- this process ("the machine": 198.51.100.1, 203.0.113.1, 10.9.9.1) --veth-- the peer
 *
 * The peer, in a third namespace, is the rest of the world: 198.51.100.2 (also 198.51.100.3 and 10.9.9.2), where an HTTP
 * server answers with its address, and a name server that knows one name. Runs each script of the zone given as a line
 * of JSON on standard input, and answers with a line.
 */
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/agent/zones/drivers/commands.js';
import { startTestZones, type TestPlace } from './zones.js';

export interface World {
  readonly place: TestPlace;
  readonly networkDeny: readonly string[];
}

const sh = (script: string) => runCommand('bash', ['-c', script]);

async function servePeer(): Promise<void> {
  await sh('until ip link show p0 2>/dev/null; do sleep 0.01; done; ip link set lo up; ip link set p0 up');
  await sh('for a in 198.51.100.2 198.51.100.3 10.9.9.2; do ip addr add $a/24 dev p0; done');
  await sh('ip route add default via 198.51.100.1');
  const server = http.createServer((request, response) => response.end(`peer ${request.socket.localAddress}\n`));
  server.listen(80, '0.0.0.0');
  const names = dgram.createSocket('udp4').bind(53, '198.51.100.2');
  names.on('message', (question, from) => names.send(answerOf(question), from.port, from.address));
  await Promise.all([once(server, 'listening'), once(names, 'listening')]);
  process.stdout.write('serving\n');
  process.stdin.resume().on('end', () => process.exit(0));
}

/** Every name has the address 198.51.100.2. */
function answerOf(question: Buffer): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const isAddress = question.readUInt16BE(end - 4) === 1;
  const header = Buffer.from([question[0] ?? 0, question[1] ?? 0, 0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0]);
  const address = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 2]);
  return Buffer.concat([header, question.subarray(12, end), ...(isAddress ? [address] : [])]);
}

async function runWorld({ place, networkDeny }: World): Promise<void> {
  await sh('ip link set lo up; ip link add h0 type veth peer name p0');
  const peer = spawn('unshare', ['--net', process.execPath, fileURLToPath(import.meta.url), 'peer'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(peer, 'spawn');
  await sh(`until ip link set p0 netns ${peer.pid} 2>/dev/null && ! ip link show p0 2>/dev/null; do sleep 0.01; done`);
  await sh('for a in 198.51.100.1 203.0.113.1 10.9.9.1; do ip addr add $a/24 dev h0; done; ip link set h0 up');
  await sh('ip route add default via 198.51.100.2');
  await once(peer.stdout, 'data');
  const resolver = `${place.config.dataDir}-resolv.conf`;
  await fs.writeFile(resolver, 'nameserver 198.51.100.2\n');
  await sh(`mount --bind ${resolver} /etc/resolv.conf`);
  const machine = http.createServer((_request, response) => response.end('the machine\n')).listen(8080, '0.0.0.0');
  await once(machine, 'listening');

  const teardowns: (() => unknown)[] = [];
  const zones = await startTestZones({ teardown: (stop: () => unknown) => teardowns.unshift(stop) }, 'oci', {
    ...place,
    config: { ...place.config, network: 'outbound', networkDeny },
  });
  const shell = await zones.boot();
  for await (const line of createInterface({ input: process.stdin })) {
    const { script, usage } = JSON.parse(line) as { script?: string; usage?: true };
    const answer = usage ? await zones.driver.usage(zones.zone) : await shell.run(script ?? '');
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  for (const teardown of teardowns) await teardown();
  process.exit(0);
}

if (process.argv[2] === 'peer') await servePeer();
else await runWorld(JSON.parse(process.argv[2] ?? '{}') as World);
