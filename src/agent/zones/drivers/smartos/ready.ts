/**
 * How a zone of SmartOS becomes as new: theory of operation. A zone is rolled back to a snapshot that was taken when it
 * was deployed, which takes seconds, however much was written. In order, and any error ends it:
 *
 *   close the socket -> unmap -> halt -> wait -> roll back -> boot -> wait -> number -> socket -> /manta -> /opt/marlin
 *   -> lackey -> wait
 *
 * We hold nothing of a zone's file systems when it is halted: the platform would kill who does. From the roll back to
 * the start of the lackey nothing of a user's runs or is there, so the directories that we make in the zone's root lead
 * nowhere else; afterwards such paths are never followed (the helper's `read` and `write`).
 * Source: spec 05 §5.4.
 */
import fs from 'node:fs/promises';
import type { Socket } from 'node:net';
import VError from 'verror';
import { onlyEntry } from './listings.js';
import type { Listening, Machine } from './machine.js';
import { waitForService, waitForZone } from './waiting.js';

export const lackeyManifest = '/opt/marlin/smf/manifests/marlin-lackey.xml';

/** What one life of a zone holds of the machine. */
export interface Life {
  /** The zone's number while it runs. */
  id: number | null;
  socket: Listening | null;
  readonly connections: Set<Socket>;
  /** Its end is no surprise any more. */
  ending: boolean;
}

export interface ZonePlace {
  readonly machine: Machine;
  readonly zone: string;
  readonly installRoot: string;
  readonly take: (connection: Socket) => void;
}

export const rootOf = (zone: string): string => `/zones/${zone}/root`;
export const mantaOf = (zone: string): string => `${rootOf(zone)}/manta`;
export const socketInZone = (zone: string): string => `/var/run/.marlin.${zone}.sock`;

type Stage = (place: ZonePlace, life: Life, signal: AbortSignal) => Promise<void>;

/** Stages 1 and 2: what the old life holds. `life` is the old one here. */
export async function letGo(
  { machine, zone }: Omit<ZonePlace, 'take' | 'installRoot'>,
  life: Life | undefined,
): Promise<void> {
  if (life !== undefined) {
    life.ending = true;
    await life.socket?.close();
    for (const connection of life.connections) connection.destroySoon(); // last answers still go out
  }
  await machine.run([machine.helper, 'hyprlofs', 'clear', mantaOf(zone)]).catch((error: Error) => {
    if (VError.info(error)['status'] !== notMounted) throw new VError(error, 'failed to unmap hyprlofs');
  });
  await machine.run(['umount', mantaOf(zone)]).catch(() => {}); // there is none in a zone that was never ready
}

const notMounted = 3;

/** Halted already is as good as halted: so it is after the agent was killed in the middle of a reset. */
export async function halt(machine: Machine, zone: string): Promise<void> {
  try {
    await machine.run(['zoneadm', '-z', zone, 'halt']);
  } catch (error) {
    const entry = await machine.run(['zoneadm', '-z', zone, 'list', '-p']).then(
      (text) => onlyEntry(text, zone),
      () => null,
    );
    if (entry?.state !== 'installed') throw error;
  }
}

const stages: readonly Stage[] = [
  ({ machine, zone }) => halt(machine, zone),
  async ({ machine, zone }, _life, signal) => {
    await waitForZone(machine, zone, 'installed', signal);
  },
  async ({ machine, zone }) => {
    await machine.run(['zfs', 'rollback', `zones/${zone}@marlin_init`]);
  },
  async ({ machine, zone }) => {
    await machine.run(['zoneadm', '-z', zone, 'boot']);
  },
  async ({ machine, zone }, life, signal) => {
    const { id } = await waitForZone(machine, zone, 'running', signal);
    await waitForService(machine, zone, 'milestone/multi-user:default', signal);
    if (id === null) throw new VError('failed to get zoneid for zone "%s"', zone);
    life.id = id;
  },
  async ({ machine, zone, take }, life) => {
    life.socket = await machine.listen([machine.helper, 'socket', zone, socketInZone(zone)], (connection) => {
      life.connections.add(connection);
      connection.once('close', () => life.connections.delete(connection));
      take(connection);
    });
  },
  async ({ machine, zone }) => {
    await makeDirectory(machine, mantaOf(zone));
    await machine.run([machine.helper, 'hyprlofs', 'mount', mantaOf(zone)]);
  },
  async ({ machine, zone, installRoot }) => {
    const directory = `${rootOf(zone)}/opt/marlin`;
    await makeDirectory(machine, directory);
    await machine.run(['mount', '-F', 'lofs', '-oro', `${installRoot}/`, directory]).catch((error: Error) => {
      throw new VError(error, '"mount" failed');
    });
  },
  async ({ machine, zone }, _life, signal) => {
    await machine.run(['zlogin', zone, 'svccfg', 'import', lackeyManifest], { signal });
    await waitForService(machine, zone, 'marlin/lackey', signal);
  },
];

/** Stages 3 to 12. @param life the new one, filled in as it goes. */
export async function makeReady(place: ZonePlace, life: Life, signal: AbortSignal): Promise<void> {
  for (const stage of stages) {
    signal.throwIfAborted();
    await stage(place, life, signal);
  }
}

/** It must not be there yet: then the zone is not what it should be. */
async function makeDirectory(machine: Machine, directory: string): Promise<void> {
  await fs.mkdir(machine.root + directory).catch((error: Error) => {
    throw new VError(error, '"mkdir" failed');
  });
}
