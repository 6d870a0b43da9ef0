/** A bus over a real Moray whose buckets exist. */
import type { Test } from 'tap';
import { createBus } from '../../src/bus/bus.js';
import { ensureBuckets } from '../../src/bus/ensure-buckets.js';
import type { Bus, Stored } from '../../src/bus/types.js';
import { systemClock } from '../../src/common/clock.js';
import { createLogger } from '../../src/common/logging.js';
import type { MorayClient } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import { type FaultyMoray, faultyMoray } from './faulty-moray.js';
import { startTestMoray, type TestMoray } from './moray.js';

const log = createLogger({ name: 'test', level: 'fatal' });

export interface TestBus {
  readonly bus: Bus;
  readonly moray: TestMoray;
  readonly faulty: FaultyMoray;
}

/** @param config of the Moray server, as `startTestMoray` has it. */
export async function startTestBus(
  t: Pick<Test, 'teardown'>,
  config: Readonly<Record<string, unknown>> = {},
): Promise<TestBus> {
  const moray = await startTestMoray(t, config);
  await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
  const faulty = faultyMoray(moray.client);
  return { bus: openBus(t, faulty), moray, faulty };
}

/** Another process on the same Moray. */
export function openBus(t: Pick<Test, 'teardown'>, moray: MorayClient, instance = 'test'): Bus {
  const bus = createBus({ moray, buckets: defaultBuckets, instance, clock: systemClock, random: Math.random, log });
  t.teardown(() => bus.stop());
  return bus;
}

/** Resolves when the store says so. */
export async function theJob(bus: Bus, jobId: string): Promise<Stored<Record<string, unknown>>> {
  const stored = await bus.get<Record<string, unknown>>('job', jobId);
  if (stored === null) throw new Error(`there is no job "${jobId}"`);
  return stored;
}
