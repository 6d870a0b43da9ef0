/**
 * `mragentconf` and `mragentdestroy`: set-up and removal of the agent of a SmartOS storage node. Every step looks first
 * whether it is done, so that both can be run again. Source: spec 08 §8.8.4.
 */
import fs from 'node:fs';
import path from 'node:path';
import VError from 'verror';
import { type Program, programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';

/** Places, below the root of the machine: a test has a root of its own. */
function placesOf({ env }: CliContext) {
  const root = env['MARLIN_ROOT'] ?? '/';
  return {
    home: path.join(root, 'opt/smartdc/marlin'),
    etc: path.join(root, 'opt/smartdc/marlin/etc'),
    manifest: path.join(root, 'opt/smartdc/agents/smf/marlin-agent.xml'),
    zones: path.join(root, 'zones'),
  };
}

async function must(context: CliContext, command: string, args: readonly string[], input?: string): Promise<string> {
  const { status, stdout } = await context.exec(command, args, input);
  if (status === 127) throw new VError({ name: 'PlatformError' }, '%s is not there: this is for SmartOS', command);
  if (status !== 0) throw new VError({ name: 'CommandError' }, '%s %s failed', command, args.join(' '));
  return stdout;
}

async function exportManifest(context: CliContext, file: string): Promise<void> {
  const manifest = await must(context, 'svccfg', ['export', 'marlin-agent']);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, manifest);
}

interface Settings {
  readonly computeId: string;
  readonly mantaHost: string;
  readonly morayHost: string;
  readonly nameservers: readonly string[];
}

export const mragentconf: Program<CliContext> = programOf({
  name: 'mragentconf',
  args: 'mantacomputeid mantahost morayhost nameserver...',
  argCount: { least: 4, most: Number.POSITIVE_INFINITY },
  help: 'sets up the agent of this SmartOS storage node: configuration, keys, log upload, crontab',
  options: [],
  async run({ args, context, print }) {
    const [computeId = '', mantaHost = '', morayHost = '', ...nameservers] = args;
    const settings = { computeId, mantaHost, morayHost, nameservers };
    await configureAgent(context, settings, print);
    await copyKeys(context, print);
    writeLogPush(context, settings, print);
    await updateCrontab(context, print);
    return 0;
  },
});

async function configureAgent(context: CliContext, settings: Settings, print: (line: string) => void): Promise<void> {
  const { etc, manifest, home } = placesOf(context);
  const file = path.join(etc, 'agentconfig.json');
  if (fs.existsSync(file)) {
    print('skipping agent reconfiguration (file already present)');
    return;
  }
  const { UUID: instanceUuid } = JSON.parse(await must(context, 'sysinfo', [])) as { readonly UUID: string };
  const config = {
    instanceUuid,
    mantaComputeId: settings.computeId,
    moray: { url: `tcp://${settings.morayHost}:2020` },
    manta: { url: `http://${settings.mantaHost}:80/` },
    dns: { nameservers: settings.nameservers },
    driver: 'smartos',
    zones: await computeZones(context),
    dataDir: path.join(home, 'data'),
    installRoot: home,
  };
  fs.mkdirSync(etc, { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
  await must(context, 'svcadm', ['disable', '-s', 'marlin-agent']);
  await must(context, 'svcadm', ['enable', 'marlin-agent']);
  await exportManifest(context, manifest);
  print('updated marlin agent configuration');
}

async function computeZones(context: CliContext): Promise<readonly string[]> {
  const listed = await must(context, 'vmadm', ['lookup', '-j', '-o', 'uuid,tags']);
  const zones = JSON.parse(listed) as readonly {
    readonly uuid: string;
    readonly tags?: Readonly<Record<string, string>>;
  }[];
  return zones
    .filter(({ tags = {} }) => ['compute', 'marlincompute'].includes(tags['manta_role'] ?? ''))
    .filter(({ tags = {} }) => tags['manta_compute'] !== 'removed')
    .map(({ uuid }) => uuid);
}

const keyFiles = ['id_rsa', 'id_rsa.pub'];

async function copyKeys(context: CliContext, print: (line: string) => void): Promise<void> {
  const { etc, zones } = placesOf(context);
  if (keyFiles.every((name) => fs.existsSync(path.join(etc, name)))) {
    print('skipping private key copy (keys already present)');
    return;
  }
  const found = (await must(context, 'vmadm', ['lookup', 'tags.manta_role=storage'])).split('\n').filter(Boolean);
  const zone = found.at(-1);
  if (zone === undefined) {
    print('skipping private key copy (no mako zone found)');
    return;
  }
  fs.mkdirSync(etc, { recursive: true });
  for (const name of keyFiles) {
    const copy = path.join(etc, name);
    fs.copyFileSync(path.join(zones, zone, 'root/root/.ssh', name), copy);
    fs.chmodSync(copy, 0o600);
  }
  print(`copied private keys from zone ${zone}`);
}

function writeLogPush(context: CliContext, settings: Settings, print: (line: string) => void): void {
  const { etc } = placesOf(context);
  const config = {
    logroot: '/var/log/manta/upload',
    nameservers: settings.nameservers,
    manta: {
      user: 'poseidon',
      host: settings.mantaHost,
      keypath: '/opt/smartdc/marlin/etc/id_rsa',
      logroot: '/poseidon/stor/logs',
    },
  };
  fs.mkdirSync(etc, { recursive: true });
  fs.writeFileSync(path.join(etc, 'logpush.json'), `${JSON.stringify(config, null, 2)}\n`);
  print('wrote logpush.json');
}

const sbin = '/opt/smartdc/marlin/sbin';
const cronLines = [
  `1,2,3,4,5 * * * * ${sbin}/logpush.sh /opt/smartdc/marlin/etc/logpush.json >>/var/log/mbackup.log 2>&1`,
  `0 0 * * * ${sbin}/mrlogexpire.sh >>/var/log/mrlogexpire.log 2>&1`,
];

async function updateCrontab(context: CliContext, print: (line: string) => void): Promise<void> {
  const { stdout: crontab } = await context.exec('crontab', ['-l']);
  if (crontab.includes('logpush.json') && crontab.includes('mrlogexpire')) {
    print('skipping crontab update (already done)');
    return;
  }
  const kept = crontab === '' || crontab.endsWith('\n') ? crontab : `${crontab}\n`;
  await must(context, 'crontab', [], `${kept}${cronLines.join('\n')}\n`);
  print('updated crontab');
}

export const mragentdestroy: Program<CliContext> = programOf({
  name: 'mragentdestroy',
  args: '',
  argCount: { least: 0, most: Number.POSITIVE_INFINITY },
  help: 'removes the agent of this SmartOS storage node',
  options: [{ names: ['f'], type: 'bool', help: 'Do it: without, nothing happens.' }],
  async run({ args, has, context, print }) {
    if (!has('f') || args.length > 0) throw usageError(null);
    const { home, manifest } = placesOf(context);
    await must(context, 'svcadm', ['disable', '-s', 'marlin-agent']);
    await exportManifest(context, manifest);
    print('disabled marlin-agent');
    const { stdout: crontab } = await context.exec('crontab', ['-l']);
    const kept = crontab.split('\n').filter((line) => !line.includes('/opt/smartdc/marlin'));
    await must(context, 'crontab', [], kept.join('\n'));
    print('removed crontab entries');
    fs.rmSync(home, { recursive: true, force: true });
    print(`removed ${home}`);
    return 0;
  },
});
