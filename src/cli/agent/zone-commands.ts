/**
 * Zones taken out of service and put back. On SmartOS the platform keeps a tag that says whether a zone belongs to the
 * agent; elsewhere the agent's configuration does, and there is no tag to set.
 */
import VError from 'verror';
import { sleep } from '../../common/clock.js';
import { type Program, programOf } from '../command.js';
import type { CliContext } from '../context.js';
import { askAgent, zonesOf } from './request.js';

const oneZone = { args: 'zonename', argCount: { least: 1, most: 1 }, options: [] } as const;
const pollMs = 1000;
/** An agent finds its zones in a moment; on SmartOS it asks vmadm. */
const discoveryPolls = 5;

/** @returns false when the platform refused. */
async function tagZone(context: CliContext, zone: string, value: string): Promise<boolean> {
  const tags = JSON.stringify({ set_tags: { manta_compute: value } });
  const { status } = await context.exec('vmadm', ['update', zone], tags);
  return status === 0 || (status === 127 && process.platform !== 'sunos');
}

async function enable(context: CliContext, zone: string, print: (line: string) => void): Promise<void> {
  if (!(await tagZone(context, zone, ''))) throw new VError({ name: 'TagError' }, 'failed to mark zone non-removed');
  const path = `/zones?zonename=${encodeURIComponent(zone)}`;
  const { status, headers, body } = await askAgent(context, 'POST', path);
  print(`HTTP/1.1 ${status}`);
  for (const [name, value] of headers) print(`${name}: ${value}`);
  if (body !== null) print(JSON.stringify(body, null, 2));
  await becomesKnown(context, zone);
}

/** The agent answers before it has looked for a zone that it does not know, and whatever it finds. */
async function becomesKnown(context: CliContext, zone: string): Promise<void> {
  for (let poll = 0; (await stateOf(context, zone)) === undefined; poll++) {
    if (poll === discoveryPolls) throw new VError({ name: 'NoZoneError' }, 'no such zone: %s', zone);
    await sleep(context.clock, pollMs);
  }
}

/** @returns undefined: the agent does not know it. */
async function stateOf(context: CliContext, zone: string): Promise<string | undefined> {
  return (await zonesOf(context)).find(({ zonename }) => zonename === zone)?.state;
}

export const mrzone: Program<CliContext> = programOf({
  ...oneZone,
  name: 'mrzone',
  help: 'puts a zone into service, or back into it',
  async run({ args: [zone = ''], context, print }) {
    await enable(context, zone, print);
    return 0;
  },
});

export const mrzonedisable: Program<CliContext> = programOf({
  ...oneZone,
  name: 'mrzonedisable',
  help: 'takes a zone out of service until "mrzone" or a restart of the agent',
  async run({ args: [zone = ''], context }) {
    await askAgent(context, 'POST', `/zones/${encodeURIComponent(zone)}/disable`);
    return 0;
  },
});

export const mrzoneremove: Program<CliContext> = programOf({
  ...oneZone,
  name: 'mrzoneremove',
  help: 'takes a zone out of service for good',
  async run({ args: [zone = ''], context, print, complain }) {
    const step = async (text: string, act: () => Promise<unknown>): Promise<boolean> => {
      try {
        await act();
        print(`${text} ... done.`);
        return true;
      } catch (error) {
        print(`${text} ... failed`);
        complain(`mrzoneremove: ${(error as Error).message}`);
        return false;
      }
    };
    const path = `/zones/${encodeURIComponent(zone)}`;
    let isThere = true;
    const isKnown = await step(`Checking for zone "${zone}"`, async () => {
      isThere = (await stateOf(context, zone)) !== undefined;
    });
    if (!isKnown) return 1;
    if (!isThere) {
      print('zone already gone.');
      return 0;
    }
    const isRemoved =
      (await step(`Disabling zone "${zone}"`, () => askAgent(context, 'POST', `${path}/disable`))) &&
      (await step(`Waiting for zone "${zone}" to quiesce`, async () => {
        while ((await stateOf(context, zone)) !== 'disabled') await sleep(context.clock, pollMs);
      })) &&
      // Only now: making the zone as new would undo the tag.
      (await step(`Removing zone "${zone}"`, async () => {
        if (!(await tagZone(context, zone, 'removed'))) throw new VError({ name: 'TagError' }, 'vmadm failed');
        await askAgent(context, 'DELETE', path);
      }));
    return isRemoved ? 0 : 1;
  },
});

export const mrdeploycompute: Program<CliContext> = programOf({
  ...oneZone,
  name: 'mrdeploycompute',
  help: 'makes a new SmartOS zone ready for jobs: takes the snapshot that resets go back to (SmartOS only)',
  async run({ args: [zone = ''], context, print, complain }) {
    const traced = async (command: string, ...args: readonly string[]) => {
      complain(`+ ${command} ${args.join(' ')}`);
      return context.exec(command, args);
    };
    const { status } = await traced('vmadm', 'get', zone);
    if (status === 127) throw new VError({ name: 'PlatformError' }, 'vmadm is not there: this is for SmartOS');
    if (status !== 0) throw new VError({ name: 'NoZoneError' }, 'no such zone: %s', zone);
    const snapshot = await traced('zfs', 'snapshot', `zones/${zone}@marlin_init`);
    if (snapshot.status !== 0) throw new VError({ name: 'SnapshotError' }, 'failed to take the snapshot of %s', zone);
    // Zones may be deployed before the agent is.
    await enable(context, zone, print).catch((error: Error) => complain(`mrdeploycompute: ${error.message} (ignored)`));
    return 0;
  },
});
