/** Any process may die at any instant: nothing is lost, nothing is done twice that a user could see. */
import fs from 'node:fs';
import t from 'tap';
import type { ReadyBox } from '../../src/standalone/up.js';
import { readJob, submit, waitDone } from '../support/jobs.js';
import { killIfThere, type OneBox, startOneBox } from '../support/one-box.js';
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
    const rounds: readonly Service[] = ['moray', 'storage', 'frontdoor', 'supervisor', 'agent', 'archiver'];
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
    const inputs = await store(box, 80);
    const id = await box.manta.createJob([
      { type: 'map', exec: 'sleep 0.2; wc -w' },
      { type: 'reduce', exec: "awk '{ s += $1 } END { print s }'" },
    ]);
    /** The job stays open, so that there is something to do however slow we are. */
    const add = async () => {
      const { status, stderr } = await box.run(`mjob addinputs --open ${id}`, { stdin: inputs.splice(-20).join('\n') });
      if (status !== 0) throw new Error(stderr);
    };
    const victimOf = (await containersWork()) === false ? helperOf : undefined; // else it says why not
    for (let time = 0; time < 2; time++) {
      await add();
      await kill(box, 'agent');
      const { tasksDone } = (await box.manta.status(id)).stats;
      await add();
      await waitTasksDone(box, id, tasksDone + 1); // a helper that holds no zone yet dies without its agent
      await kill(box, 'agent', victimOf);
    }
    const closed = await box.run(`mjob close ${id}`);
    t.equal(closed.status, 0, closed.stderr);
    await waitDone(box, id, 200_000);
    const job = await readJob(box, id);
    t.same(job.errors, []);
    t.same(job.contents, ['480\n']);
    t.same(job.stored, job.outputs);
  },
);

t.test('the machine dies: the next start resumes what was unfinished', { timeout: 300_000 }, async (t) => {
  const box = await startOneBox(t);
  const inputs = await store(box, 40);
  const id = await submit(box, [{ exec: 'sleep 0.2; wc -w' }], inputs);
  await waitTasksDone(box, id, 5);
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
async function kill(box: OneBox, service: Service, victimOf: typeof helperOf = (pid) => pid): Promise<void> {
  const pid = box.ready().pids[service];
  if (pid === undefined) throw new Error(`${service} has no pid`);
  for (let waits = 0; (box.ready().pids[service] ?? pid) === pid; waits++) {
    const victim = waits % 100 === 0 ? victimOf(pid) : undefined; // again now and then: a helper without a zone died alone
    if (victim !== undefined) killIfThere(victim);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function waitTasksDone(box: OneBox, id: string, count: number): Promise<void> {
  while ((await box.manta.status(id)).stats.tasksDone < count) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Undefined when the agent is gone, or has none now. */
function helperOf(agent: number): number | undefined {
  try {
    const children = fs.readFileSync(`/proc/${agent}/task/${agent}/children`, 'utf8').trim().split(' ').map(Number);
    return children.find((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('command-helper'));
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return undefined;
  }
}
