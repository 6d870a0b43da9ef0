/**
 * A soak: jobs of several users while parts of the agent are killed without warning, and then a look for everything
 * that should not be there any more. Used by a test (small) and by `make soak` (large).
 *
 * What must come out: each input of a map phase has exactly one end. A killed agent is not seen at all. A killed lackey
 * fails the task that it ran, with `internal error`, and no other; so outputs and errors together are exact, and there
 * are at most as many errors as lackeys were killed.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { ensureAccount } from '../../src/accounts/file.js';
import { connectManta, type Manta } from '../../src/standalone/manta-client.js';
import { counted, type Footprint, footprint, lackeyPids } from './footprint.js';
import type { OneBox } from './one-box.js';

export interface SoakOptions {
  readonly users: number;
  readonly jobsPerUser: number;
  readonly inputsPerJob: number;
  /** Of each user. */
  readonly jobsAtOnce: number;
  /** On average. */
  readonly killEveryMs: number;
  readonly victims: readonly ('agent' | 'lackey')[];
  readonly limitMs: number;
  readonly say: (line: string) => void;
}

export interface SoakReport {
  readonly tasks: number;
  readonly seconds: number;
  readonly agentKills: number;
  readonly lackeyKills: number;
  readonly taskErrors: number;
  /** What is wrong with outputs and errors. */
  readonly wrong: readonly string[];
  /** What is there that was not before, or is gone. */
  readonly left: readonly string[];
  /** Resident memory of the agent, MiB, sampled while jobs ran. Of its last life if it was killed. */
  readonly memoryMb: readonly number[];
}

interface SoakJob {
  readonly id: string;
  readonly kind: Kind;
}

interface Kind {
  readonly name: string;
  readonly phases: readonly object[];
  /** Ends of the job with `words` of each input that did not fail, in any order. */
  readonly expected: (words: readonly number[]) => readonly string[];
}

const pause = 'sleep 0.0$((RANDOM % 9 + 1))';
const sum = "awk '{ s += $1 } END { print s + 0 }'";
const total = (words: readonly number[]) => words.reduce((all, one) => all + one, 0);

const kinds: readonly Kind[] = [
  { name: 'map', phases: [{ exec: `${pause}; wc -w` }], expected: (words) => words.map((count) => `${count}\n`) },
  {
    name: 'map, reduce',
    phases: [{ exec: `${pause}; wc -w` }, { type: 'reduce', exec: sum }],
    expected: (words) => [`${total(words)}\n`],
  },
  {
    name: 'map with init and an output of its own',
    phases: [{ init: 'echo 7 > /var/tmp/seven', exec: `${pause}; echo $(($(wc -w) + $(cat /var/tmp/seven))) | mpipe` }],
    expected: (words) => words.map((count) => `${count + 7}\n`),
  },
  {
    name: 'map to two reducers, and one more',
    phases: [
      { exec: `${pause}; wc -w | mpipe -r $((RANDOM % 2))` },
      { type: 'reduce', count: 2, exec: sum },
      { type: 'reduce', exec: sum },
    ],
    expected: (words) => [`${total(words)}\n`],
  },
];

export async function runSoak(box: OneBox, options: SoakOptions): Promise<SoakReport> {
  const users = await makeUsers(box, options);
  await quiet(box);
  // Once through, so that what is made once (caches, connections) is there before it is counted.
  await runJobs(users.slice(0, 1), { ...options, jobsPerUser: 1 });
  await quiet(box);
  const before = await footprint(box);
  const chaos = startChaos(box, options);
  const startedMs = Date.now();
  const memory = sampleMemory(box);
  const wrong: string[] = [];
  let [tasks, taskErrors] = [0, 0];
  try {
    for (const { manta, job } of await runJobs(users, options)) {
      const checked = await checkJob(manta, job, options);
      wrong.push(...checked.wrong);
      tasks += checked.tasks;
      taskErrors += checked.errors;
    }
  } finally {
    await chaos.stop();
  }
  const seconds = (Date.now() - startedMs) / 1000;
  const memoryMb = memory.stop();
  if (taskErrors > chaos.lackeyKills()) wrong.push(`${taskErrors} errors, but ${chaos.lackeyKills()} lackeys killed`);
  await quiet(box);
  const left = await leftSince(box, before);
  for (const { manta } of users) manta.close();
  return {
    tasks,
    seconds,
    agentKills: chaos.agentKills(),
    lackeyKills: chaos.lackeyKills(),
    taskErrors,
    wrong,
    left,
    memoryMb,
  };
}

interface User {
  readonly manta: Manta;
  readonly inputs: readonly string[];
}

async function makeUsers(box: OneBox, { users, inputsPerJob }: SoakOptions): Promise<User[]> {
  const publicKey = fs.readFileSync(`${box.keyFile}.pub`, 'utf8');
  const privateKey = fs.readFileSync(box.keyFile, 'utf8');
  const made: User[] = [];
  for (let index = 0; index < users; index++) {
    const login = `soak${index}`;
    ensureAccount(path.join(box.data, 'accounts.json'), { login, publicKey });
    const manta = connectManta({ ...box.ready().manta, user: login }, privateKey);
    const directory = `/${login}/stor/in`;
    await again(() => manta.mkdirp(directory), 20_000); // the front door reads the file now and then
    const inputs = Array.from({ length: inputsPerJob }, (_, number) => `${directory}/${number + 1}`);
    const queue = inputs.entries();
    const worker = async () => {
      for (const [number, name] of queue) {
        const bytes = Buffer.from('word '.repeat(number + 1));
        await manta.put(name, Readable.from([bytes]), bytes.length);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    made.push({ manta, inputs });
  }
  return made;
}

/** Repeats what fails: while parts are killed, the clients of the system see them away for a moment. */
async function again<Result>(action: () => Promise<Result>, limitMs: number): Promise<Result> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function runJobs(users: readonly User[], options: SoakOptions): Promise<{ manta: Manta; job: SoakJob }[]> {
  const endMs = Date.now() + options.limitMs;
  const done: { manta: Manta; job: SoakJob }[] = [];
  const work = users.flatMap(({ manta, inputs }, index) => {
    const numbers = Array.from({ length: options.jobsPerUser }, (_, number) => number).values();
    return Array.from({ length: options.jobsAtOnce }, async () => {
      for (const number of numbers) {
        const kind = kinds[(number + index) % kinds.length] as Kind;
        const id = await manta.createJob(kind.phases.map((phase) => ({ type: 'map', ...phase })));
        await manta.addInputs(id, inputs);
        await waitDone(manta, id, endMs);
        options.say(`job ${id} of ${manta.user} (${kind.name}) is done`);
        done.push({ manta, job: { id, kind } });
      }
    });
  });
  await Promise.all(work);
  return done;
}

async function waitDone(manta: Manta, id: string, endMs: number): Promise<void> {
  for (;;) {
    const status = await manta.status(id);
    if (status.state === 'done') return;
    if (Date.now() > endMs) throw new Error(`job ${id} is not done: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

interface Checked {
  readonly tasks: number;
  readonly errors: number;
  readonly wrong: readonly string[];
}

async function checkJob(manta: Manta, { id, kind }: SoakJob, { inputsPerJob }: SoakOptions): Promise<Checked> {
  const { stats } = await manta.status(id);
  const errors = (await manta.errors(id)) as unknown as { phase: string; message: string; p0input?: string }[];
  const contents: string[] = [];
  const queue = (await manta.outputs(id)).values();
  const worker = async () => {
    for (const name of queue) contents.push((await manta.get(name)).toString());
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const failedInputs = new Set(errors.filter(({ phase }) => phase === '0').map(({ p0input }) => p0input));
  const words = Array.from({ length: inputsPerJob }, (_, index) => index + 1).filter(
    (count) => !failedInputs.has(`/${manta.user}/stor/in/${count}`),
  );
  const wrong = errors
    .filter(({ message }) => message !== 'internal error')
    .map(({ phase, message }) => `job ${id} (${kind.name}): phase ${phase}: ${message}`);
  // A reducer that failed takes what it had read along: then only the errors can be checked.
  if (errors.every(({ phase }) => phase === '0')) {
    const expected = [...kind.expected(words)].sort();
    const found = contents.sort();
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      wrong.push(
        `job ${id} (${kind.name}): ${found.length} outputs, expected ${expected.length}: ${difference(found, expected)}`,
      );
    }
  }
  return { tasks: stats.tasks, errors: errors.length, wrong };
}

function difference(found: readonly string[], expected: readonly string[]): string {
  const missing = expected.filter((one) => !found.includes(one)).slice(0, 5);
  const extra = found.filter((one) => !expected.includes(one)).slice(0, 5);
  return `missing ${JSON.stringify(missing)}, too many ${JSON.stringify(extra)}`;
}

/** An agent that is killed takes all lackeys along, and needs seconds to come back. */
const agentShare = 1 / 3;
/** Looked at five times a second: now and then an agent is killed while it starts. */
const duringStartShare = 0.02;

interface Chaos {
  stop(): Promise<void>;
  agentKills(): number;
  lackeyKills(): number;
}

function startChaos(box: OneBox, { killEveryMs, victims, say }: SoakOptions): Chaos {
  let [agentKills, lackeyKills, stopped] = [0, 0, false];
  let wake = () => {};
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const run = async () => {
    // The first at once: however quick the jobs are, they meet one.
    for (let isFirst = true; ; isFirst = false) {
      if (!isFirst) await pause(killEveryMs * (0.5 + Math.random()));
      if (stopped) return;
      const agentsTurn = victims.includes('agent') && (victims.length === 1 || Math.random() < agentShare);
      if (agentsTurn) {
        if (kill(box.ready().pids.agent)) agentKills++;
        say('killed the agent');
        // On a slow machine an agent that is killed again and again before its zones are up would never run anything.
        while (Math.random() >= duringStartShare && !stopped && lackeyPids(box).length === 0) await pause(200);
      } else {
        let lackeys = lackeyPids(box);
        while (lackeys.length === 0 && !stopped) {
          await pause(100); // the agent has just been killed
          lackeys = lackeyPids(box);
        }
        if (kill(lackeys[Math.floor(Math.random() * lackeys.length)])) lackeyKills++;
        say(`killed one of ${lackeys.length} lackeys`);
      }
    }
  };
  const running = run();
  return {
    agentKills: () => agentKills,
    lackeyKills: () => lackeyKills,
    async stop() {
      stopped = true;
      wake();
      await running;
    },
  };
}

function kill(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false; // it has just ended
  }
}

interface SnapshotShape {
  readonly agent: Record<string, { readonly nTasks: number }>;
  readonly zone: Record<
    string,
    { readonly state: string; readonly nwaiters: number; readonly disableErrorMessage?: string }
  >;
}

/** Waits until the agent has nothing to do and all its zones are as new, their lackeys waiting. Idle ones are taken away from their groups. */
async function quiet(box: OneBox): Promise<void> {
  const { port } = JSON.parse(fs.readFileSync(path.join(box.data, 'etc', 'agent.json'), 'utf8')) as { port: number };
  const url = `http://127.0.0.1:${port}`;
  await again(async () => {
    const { agent, zone } = (await (await fetch(`${url}/kang/snapshot`)).json()) as SnapshotShape;
    if (Object.values(agent).some(({ nTasks }) => nTasks > 0)) throw new Error('there are tasks');
    for (const [name, { state, disableErrorMessage }] of Object.entries(zone)) {
      if (state === 'busy') await fetch(`${url}/zones/${name}/disable`, { method: 'POST' });
      if (disableErrorMessage === 'zone disabled by operator') {
        await fetch(`${url}/zones?zonename=${name}`, { method: 'POST' });
      }
    }
    const isNew = Object.values(zone).every(({ state, nwaiters }) => state === 'ready' && nwaiters > 0);
    if (!isNew) throw new Error(`zones: ${JSON.stringify(zone)}`);
  }, 90_000);
}

/** What is removed is removed in the background: so this looks until there is nothing, for some time. */
async function leftSince(box: OneBox, before: Footprint): Promise<string[]> {
  const endMs = Date.now() + 20_000;
  for (;;) {
    const left = counted(before, await footprint(box));
    if (left.length === 0 || Date.now() > endMs) return left;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function sampleMemory(box: OneBox): { stop(): number[] } {
  let samples: number[] = [];
  let last: number | undefined;
  const timer = setInterval(() => {
    const pid = box.ready().pids.agent;
    if (pid !== last) samples = [];
    last = pid;
    const status = readOrNothing(`/proc/${pid}/status`);
    const kilobytes = Number(status.match(/^VmRSS:\s+(\d+)/m)?.[1] ?? 0);
    if (kilobytes > 0) samples.push(kilobytes / 1024);
  }, 500);
  return {
    stop() {
      clearInterval(timer);
      return samples;
    },
  };
}

function readOrNothing(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
