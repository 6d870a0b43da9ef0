/** Any process may die at any instant: nothing is lost, nothing is done twice that a user could see. */
import fs from 'node:fs';
import t from 'tap';
import type { ReadyBox } from '../../src/standalone/up.js';
import { readJob, submit, waitDone } from '../support/jobs.js';
import { type OneBox, startOneBox } from '../support/one-box.js';
import { containersWork } from '../support/zones.js';

type Service = keyof ReadyBox['pids'];

const words = 'to be or not to be';

t.test(
  'each service is killed twice during a two-phase job, which ends as if nothing had happened',
  { timeout: 400_000 },
  async (t) => {
    const box = await startOneBox(t);
    const inputs = await store(box, 300);
    const id = await submit(
      box,
      [{ exec: 'sleep 0.1; wc -w' }, { type: 'reduce', exec: "awk '{ s += $1 } END { print s }'" }],
      inputs,
    );
    const rounds: readonly Service[] = ['moray', 'storage', 'frontdoor', 'supervisor', 'agent'];
    for (let round = 0; round < 2; round++) for (const service of rounds) await kill(box, service);
    await waitDone(box, id, 300_000);
    const job = await readJob(box, id);
    t.same(job.errors, [], 'no error is shown');
    t.same(job.contents, ['1800\n'], 'every input counted exactly once');
    t.same(job.stored, job.outputs, 'no intermediate object is left');
  },
);

t.test(
  'an agent, or the process that holds its zones, killed four times during one job',
  { timeout: 300_000 },
  async (t) => {
    const box = await startOneBox(t);
    const inputs = await store(box, 100);
    const id = await submit(
      box,
      [{ exec: 'sleep 0.3; wc -w' }, { type: 'reduce', exec: "awk '{ s += $1 } END { print s }'" }],
      inputs,
    );
    const victimOf = (await containersWork()) === false ? helperOf : undefined; // else it says why not
    for (let time = 0; time < 2; time++) {
      await kill(box, 'agent');
      await taskDone(box, id); // a helper that holds no zone yet dies without its agent
      await kill(box, 'agent', victimOf);
    }
    await waitDone(box, id, 200_000);
    const job = await readJob(box, id);
    t.same(job.errors, []);
    t.same(job.contents, ['600\n']);
    t.same(job.stored, job.outputs);
  },
);

t.test('the machine dies: the next start resumes what was unfinished', { timeout: 300_000 }, async (t) => {
  const box = await startOneBox(t);
  const inputs = await store(box, 40);
  const id = await submit(box, [{ exec: 'sleep 0.2; wc -w' }], inputs);
  while ((await box.manta.status(id)).stats.tasksDone < 5) await new Promise((resolve) => setTimeout(resolve, 50));
  await box.killAll();
  await box.restart();
  await waitDone(box, id, 200_000);
  const job = await readJob(box, id);
  t.same(job.errors, []);
  t.same(
    job.contents,
    inputs.map(() => '6\n'),
  );
});

async function store(box: OneBox, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `/${box.login}/stor/in/${String(index).padStart(3, '0')}`);
  await box.put(names[0] ?? '', words);
  const queue = names.slice(1).values();
  const worker = async () => {
    for (const name of queue) await box.put(name, words);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return names;
}

/** Kills a service, or the process without which it cannot be, and waits until its successor answers. */
async function kill(box: OneBox, service: Service, victimOf = (pid: number) => pid): Promise<void> {
  const pid = box.ready().pids[service];
  if (pid === undefined) throw new Error(`${service} has no pid`);
  process.kill(victimOf(pid), 'SIGKILL');
  while ((box.ready().pids[service] ?? pid) === pid) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Waits until one more task is done than now. */
async function taskDone(box: OneBox, id: string): Promise<void> {
  const { tasksDone } = (await box.manta.status(id)).stats;
  while ((await box.manta.status(id)).stats.tasksDone <= tasksDone)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

function helperOf(agent: number): number {
  const children = fs.readFileSync(`/proc/${agent}/task/${agent}/children`, 'utf8').trim().split(' ').map(Number);
  const helper = children.find((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('command-helper'));
  if (helper === undefined) throw new Error(`agent ${agent} has no helper`);
  return helper;
}
