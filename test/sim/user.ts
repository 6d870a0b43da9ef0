/** Users: they make jobs by the library that front door and commands use, give input now and then, end it, or cancel. */

import { sleep } from '../../src/common/clock.js';
import { createJob } from '../../src/jobs/create.js';
import { addJobInput } from '../../src/jobs/inputs.js';
import type { JobStore } from '../../src/jobs/store.js';
import { cancelJob, endJobInput, fetchJob } from '../../src/jobs/updates.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { Phase } from '../../src/records/job.js';
import { newId } from '../../src/supervisor/ids.js';
import type { Network } from './network.js';
import { login, owner } from './objects.js';
import type { Life } from './process.js';
import type { Chance } from './random.js';
import { account } from './supervisor.js';

export interface JobPlan {
  readonly jobId: string;
  readonly phases: readonly Phase[];
  readonly inputs: readonly string[];
  /** Pauses before each input are at most so long. */
  readonly pauseMs: number;
  readonly startMs: number;
  readonly cancelMs: number | null;
}

/** @returns when the user is through with it. */
export async function runUser(plan: JobPlan, life: Life, chance: Chance, network: Network): Promise<void> {
  const { jobId, phases, inputs, pauseMs, startMs, cancelMs } = plan;
  const { clock } = life;
  const store: JobStore = {
    moray: network.clientOf(life, true),
    buckets: defaultBuckets,
    clock,
    newId: () => newId(() => chance.next()),
  };
  await sleep(clock, startMs);
  const { account: principal } = account;
  const auth = { login, token: 'secret', uuid: owner, groups: [], principal: { account: principal, roles: {} } };
  await createJob(store, { jobId, name: '', owner, auth, phases: [...phases] } as never);
  const cancelling = cancelMs === null ? null : sleep(clock, cancelMs).then(() => cancelJob(store, jobId));
  let domain: string | undefined;
  for (const input of inputs) {
    await sleep(clock, chance.next() * pauseMs);
    // A front door learns now and then whose the job is, and tells inputs what it knows.
    if (domain === undefined && chance.happens(0.5)) domain = (await fetchJob(store, jobId)).value.worker;
    await addJobInput(store, jobId, input, domain === undefined ? {} : { domain });
  }
  await sleep(clock, chance.next() * pauseMs);
  await endJobInput(store, jobId);
  await cancelling;
}
