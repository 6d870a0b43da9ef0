/** Runs what a seed stands for: starts everybody, makes trouble, waits for calm and for all jobs, and judges. */
import { createLogger, type Logger } from '../../src/common/logging.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { Supervisor } from '../../src/supervisor/supervisor.js';
import { runAgent } from './agent.js';
import { createNetwork, noFaults } from './network.js';
import { createObjects } from './objects.js';
import { makePlan, type Plan, type Trouble, type Without } from './plan.js';
import { type Life, startLife } from './process.js';
import { createPromptness } from './promptness.js';
import { chanceOf } from './random.js';
import { createRules, difference, Violation } from './rules.js';
import { type Change, createStore } from './store.js';
import { baseConfig, runSupervisor } from './supervisor.js';
import { beginning, createVirtualTime } from './time.js';
import { runUser } from './user.js';
import { judge } from './verdict.js';

export interface Outcome {
  readonly seed: number;
  /** null: all is well. */
  readonly violation: string | null;
  /** From the end of trouble until all jobs were done, virtual ms. */
  readonly calmToDoneMs: number;
  readonly events: number;
  readonly commits: number;
  /** Names what happened, in order: equal for equal runs. */
  readonly fingerprint: number;
  readonly plan: Plan;
}

export interface RunOptions {
  readonly without?: Without;
  /** Told of everything that happens. */
  readonly trace?: (line: string) => void;
}

const maxTaskRetries = 2;
/** After trouble ended, a job that can finish does so within this time. */
const patienceMs = 400_000;
/**
 * Then everybody is left alone, to do what should not be left, until nothing but heartbeats has been written for so long
 * that every query has run since (the rarest each 30 s, and a tenth more), also one whose answer was lost silently.
 */
const quietMs = 35_000;
const lostAnswerMs = 60_000;
/** It is not quiet within this time: somebody writes for ever. */
const restlessMs = 200_000;

const silence = createLogger({ name: 'sim', level: 'fatal' });

export async function runSeed(seed: number, { without = {}, trace }: RunOptions = {}): Promise<Outcome> {
  const plan = makePlan(seed, without);
  const time = createVirtualTime();
  const { supervisors, agents, jobs } = plan;
  let violation: string | null = null;
  let commits = 0;
  let fingerprint = 0;
  const say = (line: string) => trace?.(`${((time.nowMs - beginning) / 1000).toFixed(3)} ${line}`);
  const failed = (error: unknown) => {
    violation ??= error instanceof Violation ? error.message : String((error as Error)?.stack ?? error);
    say(`VIOLATION ${violation}`);
  };

  const unhandled = (error: unknown) => {
    failed(new Violation(`a rejection that nobody handles: ${(error as Error)?.stack ?? error}`));
  };
  process.on('unhandledRejection', unhandled);

  const rules = createRules({
    store: () => store,
    isSupervisor: (writer) => supervisors.includes(writer),
    maxTaskRetries,
  });
  const lives = new Map<string, Life>();
  const promptness = createPromptness({
    store: () => store,
    time,
    lifeOf: (name) => lives.get(name),
    timePollMs: plan.tunables.timePoll ?? baseConfig.tunables.timePoll,
  });
  let writtenMs = 0;
  const late = new Set<string>();
  const onCommit = (changes: readonly Change[], writer: string): void => {
    commits++;
    if (changes.some(({ bucket }) => bucket !== defaultBuckets.health)) writtenMs = time.nowMs;
    for (const { key, after } of changes) fingerprint = mixed(mixed(fingerprint, after?.etag ?? ''), key);
    fingerprint = mixed(fingerprint, String(time.nowMs));
    for (const { bucket, key, before, after } of changes)
      if (bucket === defaultBuckets.taskinput && before === null && after?.columns['timeRead']) late.add(key);
    if (trace !== undefined)
      for (const change of changes) if (change.before?.etag !== change.after?.etag) say(`${writer}: ${shown(change)}`);
    if (violation !== null) return;
    try {
      rules(changes, writer);
      promptness.committed(changes);
    } catch (error) {
      failed(error);
    }
  };
  const store = createStore(() => Math.floor(time.nowMs), onCommit);
  const network = createNetwork(store, time, chanceOf(seed, 'network'), plan.wayMs, promptness);
  const objects = createObjects(store);
  const runs = new Map<string, string[][]>();

  for (const agent of agents) {
    const value = { manta_storage_id: `stor.${agent}`, manta_compute_id: agent, zone_uuid: `zone of ${agent}` };
    store.batch([{ operation: 'put', bucket: 'manta_storage', key: agent, value }], 'operator');
  }
  for (const [name, holders] of plan.objects)
    objects.put(name, /empty/.test(name) ? [] : [name.replace(/.*\//, '')], holders);

  const running = new Map<string, Supervisor>();
  const numbers = new Map<string, number>();
  const skew = chanceOf(seed, 'clocks');
  network.faults = plan.faults;

  const gone = new Set<string>();
  const start = (name: string): void => {
    if (lives.get(name)?.isAlive === true || gone.has(name)) return;
    const number = (numbers.get(name) ?? 0) + 1;
    numbers.set(name, number);
    const life = startLife(name, number, time, (skew.next() - 0.5) * 10_000);
    lives.set(name, life);
    say(`${name} starts, life ${number}`);
    const chance = chanceOf(seed, `${name} ${number}`);
    const log = trace === undefined ? silence : loud(name, say);
    const ended = (error: unknown) => {
      if (life.isAlive) failed(error);
    };
    if (supervisors.includes(name)) {
      const config = { ...baseConfig, tunables: { ...baseConfig.tunables, ...plan.tunables, maxTaskRetries } };
      runSupervisor(life, chance, { network, objects, config, log }).then((supervisor) => {
        running.set(name, supervisor);
      }, ended);
    } else {
      const ran = (taskId: string, inputs: readonly string[]) => {
        say(`${name} runs ${taskId} with ${inputs.join(' ')}`);
        runs.set(taskId, [...(runs.get(taskId) ?? []), [...inputs]]);
      };
      const isCalm = () => network.faults === noFaults;
      const odds = { killed: () => (isCalm() ? 0 : plan.killed), fails: () => (isCalm() ? 0 : plan.fails) };
      runAgent(life, chance, { network, objects, log, ...odds, heartbeatMs: 2_000, ran }).catch(ended);
    }
  };

  const crash = (name: string): void => {
    say(`${name} crashes`);
    const life = lives.get(name);
    if (life === undefined) return;
    life.end();
    network.dropListeners(life, true);
    running.delete(name);
  };

  const make = (trouble: Trouble): void => {
    if (network.faults === noFaults) return;
    say(`trouble: ${JSON.stringify(trouble)}`);
    if (trouble.what === 'store away') {
      network.awayUntilMs = time.nowMs + trouble.forMs;
      return;
    }
    if (trouble.what === 'late') {
      start(trouble.who);
      return;
    }
    if (trouble.what === 'gone') gone.add(trouble.who);
    const life = lives.get(trouble.who);
    if (life === undefined || !life.isAlive) return;
    switch (trouble.what) {
      case 'gone':
        crash(trouble.who);
        break;
      case 'crash':
        crash(trouble.who);
        time.after(trouble.backAfterMs, () => start(trouble.who));
        break;
      case 'stand still':
        life.standStill(time.nowMs + trouble.forMs);
        break;
      case 'cut off':
        life.cutOffUntilMs = time.nowMs + trouble.forMs;
        break;
      case 'drop listeners':
        network.dropListeners(life, false);
        break;
      case 'kill listeners':
        network.dropListeners(life, true);
        break;
      case 'set clock':
        life.setClock(trouble.aheadMs);
    }
  };

  const startsLate = new Set(plan.troubles.flatMap((trouble) => (trouble.what === 'late' ? [trouble.who] : [])));
  for (const name of [...agents, ...supervisors]) if (!startsLate.has(name)) start(name);
  for (const trouble of plan.troubles) time.after(trouble.atMs, () => make(trouble));
  const users = startLife('user', 1, time, 0);
  let usersLeft = jobs.length;
  for (const [index, job] of jobs.entries())
    runUser(job, users, chanceOf(seed, `user ${index}`), network)
      .catch(failed)
      .finally(() => usersLeft--);

  const isBad = () => violation !== null;
  const isDone = () => usersLeft === 0 && jobs.every(({ jobId }) => store.row('job', jobId)?.value['state'] === 'done');
  await time.run(isBad, beginning + plan.calmMs);
  say('calm');
  network.faults = noFaults;
  network.awayUntilMs = 0;
  for (const life of lives.values()) life.cutOffUntilMs = 0;
  for (const name of [...agents, ...supervisors]) start(name);
  const calmedMs = time.nowMs;
  await time.run(() => isBad() || isDone(), calmedMs + patienceMs);
  const doneMs = time.nowMs;
  if (!isBad() && !isDone()) failed(new Violation(stuck()));
  const isQuiet = () =>
    time.nowMs > quietMs + Math.max(calmedMs, writtenMs) &&
    time.nowMs > quietMs + lostAnswerMs + network.lostSilentlyMs;
  if (!isBad()) await time.run(() => isBad() || isQuiet(), doneMs + restlessMs);
  if (!isBad() && !isQuiet()) failed(new Violation(`somebody still writes ${restlessMs / 1000} s after the last job`));
  if (!isBad()) {
    try {
      judge({ store, supervisors, contents: objects.contents, late, runs });
    } catch (error) {
      failed(error);
    }
  }
  for (const life of lives.values()) life.end();
  users.end();
  await new Promise(setImmediate); // rejections are reported by then
  process.off('unhandledRejection', unhandled);
  return { seed, violation, calmToDoneMs: doneMs - calmedMs, events: time.happened, commits, fingerprint, plan };

  function stuck(): string {
    const open = jobs.filter(({ jobId }) => store.row('job', jobId)?.value['state'] !== 'done');
    const ids = open.map(({ jobId }) => jobId);
    const snapshots = [...running.values()].flatMap((supervisor) => {
      const { job } = supervisor.snapshot() as { readonly job: Readonly<Record<string, object>> };
      return Object.entries(job).flatMap(([jobId, shownJob]) =>
        ids.includes(jobId) ? [JSON.stringify({ ...shownJob, record: undefined })] : [],
      );
    });
    return `not done within ${patienceMs / 1000} s of calm: ${ids.join(', ')}\n${snapshots.join('\n')}`;
  }
}

function shown({ bucket, key, before, after }: Change): string {
  return `${bucket.replace(/^marlin_|_v2$/g, '')}/${key.slice(0, 8)} ${difference(before?.value ?? null, after?.value ?? null)}`;
}

function mixed(hash: number, text: string): number {
  let next = hash;
  for (let at = 0; at < text.length; at++) next = (Math.imul(next, 31) + text.charCodeAt(at)) | 0;
  return next;
}

function loud(name: string, say: (line: string) => void): Logger {
  const write = (line: string) => {
    const { msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
    for (const member of ['name', 'hostname', 'pid', 'level', 'time', 'v']) delete rest[member];
    const cause = err === undefined ? '' : ` (${(err as { message?: string }).message})`;
    say(`${name} says: ${msg}${cause} ${JSON.stringify(rest)}`);
    return true;
  };
  return createLogger({ name, level: 'debug', stream: { write } as unknown as NodeJS.WritableStream });
}
