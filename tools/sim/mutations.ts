/**
 * Shows that the simulation finds defects: makes one after another, each in a copy of the compiled code, and runs seeds
 * until one fails. Ends with status 1 if a defect is not found within SEEDS (500), or the code that it changes is not
 * there any more. docs/simulation.md lists them.
 *
 * usage: node build/tools/sim/mutations.js [NAME...]
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

interface Mutation {
  readonly name: string;
  /** Below `src`, compiled. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

// biome-ignore format: table
const mutations: readonly Mutation[] = [
  { name: 'origins-without-etag', file: 'supervisor/pipeline/decide.js', from: "op: 'put', bucket, key, etag, value: { ...value, ...change }", to: "op: 'put', bucket, key, value: { ...value, ...change }" },
  { name: 'no-fence',             file: 'supervisor/domain.js',          from: '{ ...batchOptions, fence }', to: 'batchOptions' },
  { name: 'fence-of-successor',   file: 'supervisor/domain-keeper.js',   from: 'record.value.operatedBy !== me || fences.get(domainId) !== fence', to: 'false' },
  { name: 'commit-without-marks', file: 'supervisor/tasks/commit.js',    from: 'operations.push(markOutputs(', to: 'void (markOutputs(' },
  { name: 'retry-forgets-inputs', file: 'supervisor/tasks/mark.js',      from: 'adjustOpen(job, value.phaseNum, count);', to: 'adjustOpen(job, value.phaseNum, count); if (count >= limit) break;' },
  { name: 'count-unaccepted',     file: 'supervisor/pipeline/decide.js', from: 'task.timeAccepted === undefined ? attempt : attempt + 1', to: 'attempt + 1' },
  { name: 'hints-decide',         file: 'supervisor/jobs/advance.js',    from: 'await ask(unreadInputs(job.jobId), context)', to: 'job.inputsLeft' },
  { name: 'counts-never-void',    file: 'supervisor/jobs/advance.js',    from: 'job.version === version && job.inHand === 0', to: 'true' },
  { name: 'push-alone',           file: 'bus/subscriptions.js',          from: 'const pauseMs = failures > 0', to: 'if (isCovered && query.channels.length > 0) return; const pauseMs = failures > 0' },
  { name: 'push-without-echo',    file: 'bus/push.js',                   from: 'lastEchoMs !== null && names.every((name) => channels.get(name)?.isLive === true)', to: 'true' },
  { name: 'no-abandon-stale',     file: 'supervisor/tasks/sweep.js',     from: '[abandonStale(tasks, known.generation), renewStale(tasks, known.generation)]', to: '[renewStale(tasks, known.generation)]' },
  { name: 'save-over-cancel',     file: 'supervisor/jobs/save.js',       from: '...stored,', to: '...mine,' },
  { name: 'removed-in-name-only', file: 'supervisor/tasks/handlers.js',  from: 'await context.remove(job, record.value.input)', to: 'void 0' },
  { name: 'acceptance-forgotten', file: 'agent/tasks/records.js',        from: "value.state === 'accepted' && value.agentGeneration === me.generation", to: 'false' },
  { name: 'reducers-fill-window', file: 'supervisor/pipeline/window.js', from: 'return job.unfinished.map.get(agent) ?? 0', to: 'return (job.unfinished.map.get(agent) ?? 0) + (job.unfinished.reduce.get(agent) ?? 0)' },
  { name: 'leaves-of-cancelled',  file: 'supervisor/jobs/advance.js',    from: 'await removeIntermediate(job, context);', to: 'void 0;' },
  { name: 'told-while-moving',    file: 'supervisor/jobs/advance.js',    from: '!phase.isReduce || (await sum(inputsOnTheMove(job, index), context)) > 0', to: '!phase.isReduce' },
  { name: 'done-without-reducer', file: 'supervisor/jobs/advance.js',    from: '!reducersRefused && reducers.includes(undefined)', to: 'false' },
  { name: 'saves-pile-up',        file: 'supervisor/jobs/tick.js',       from: '!job.busy && !job.saving', to: '!job.busy' },
];

const build = path.resolve(import.meta.dirname, '../..');
const copy = path.join(build, 'mutated');
const seeds = process.env['SEEDS'] ?? '500';
const say = (line: string) => process.stdout.write(`${line}\n`);

/** @returns whether it was found. */
function isFound({ name, file, from, to }: Mutation): boolean {
  fs.rmSync(copy, { recursive: true, force: true });
  for (const part of ['src', 'test/sim', 'test/support'])
    fs.cpSync(path.join(build, part), path.join(copy, part), { recursive: true });
  const place = path.join(copy, 'src', file);
  const code = fs.readFileSync(place, 'utf8');
  if (code.split(from).length !== 2) {
    say(`${name}: "${from}" is not once in ${file}`);
    return false;
  }
  fs.writeFileSync(
    place,
    code.replace(from, () => to),
  );
  const env = { ...process.env, SEEDS: seeds, BRIEF: '1' };
  const { status, stdout } = spawnSync(process.execPath, [path.join(copy, 'test/sim/main.js')], {
    env,
    encoding: 'utf8',
  });
  const [first = 'it says nothing'] = stdout
    .split('\n')
    .filter((line) => line.startsWith('seed') || line.includes('nobody'));
  say(`${name}: ${status === 0 ? `NOT found within ${seeds} seeds` : first}`);
  return status !== 0;
}

const wanted = process.argv.slice(2);
const chosen = mutations.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const missed = chosen.filter((mutation) => !isFound(mutation)).map(({ name }) => name);
fs.rmSync(copy, { recursive: true, force: true });
say(
  `${chosen.length - missed.length} of ${chosen.length} found${missed.length > 0 ? `; not: ${missed.join(', ')}` : ''}`,
);
process.exitCode = missed.length > 0 ? 1 : 0;
