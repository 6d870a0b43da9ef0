/**
 * One task, from its description to its report: theory of operation.
 *
 *   clean -> init (once per zone) -> note -> run -> save stdout -> save stderr -> save core -> report
 *
 * What goes wrong before the command runs skips everything up to the report; what goes wrong afterwards stops nothing,
 * for a user wants to see the output of a command that failed. Short output travels in the report and is saved by the
 * agent, so that a small task ends in one round trip, whose answer is the next task. Source: spec 06 §1.4.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { maxInlineBytes, type TaskDescription, type TaskReport } from '../taskapi/types.js';
import type { AgentClient } from './agent-client.js';
import { begunMs, type Captured, openCapture, readAll, sizeOf } from './capture.js';
import type { CoreDump, CoreWatch } from './cores.js';
import { commandEnvironment, isReduce } from './environment.js';
import { type InputPipe, openPipe } from './input-pipe.js';
import type { Launcher, Running, ShellResult } from './launcher.js';
import type { Log } from './log.js';
import type { Markers } from './markers.js';
import { decideFailure, type TaskFacts } from './outcome.js';
import { type FeedResult, feedInputs } from './reduce-input.js';
import { saveCore } from './save-core.js';
import type { Paths, Settings } from './settings.js';
import { upload } from './upload.js';

export interface TaskContext {
  readonly settings: Settings;
  readonly paths: Paths;
  readonly socketPath: string;
  /** Of the storage endpoint. */
  readonly port: number;
  readonly agent: AgentClient;
  readonly markers: Markers;
  readonly cores: CoreWatch;
  readonly launcher: Launcher;
  /** Ends what commands left behind. */
  readonly killProcesses: () => Promise<void>;
  readonly log: Log;
  /** Whether the command has emitted outputs itself. */
  readonly hasEmitted: () => boolean;
}

/** `report`: how the task ended. `lost`: the agent has taken it back, and `next` is what it wants instead. */
export type TaskEnd =
  | { readonly kind: 'report'; readonly report: TaskReport }
  | { readonly kind: 'lost'; readonly next: TaskDescription | undefined };

export async function performTask(task: TaskDescription, context: TaskContext): Promise<TaskEnd> {
  const captures: Captures = {};
  try {
    const run = await runScripts(task, context, captures);
    if (run.feed?.kind === 'lost') return { kind: 'lost', next: run.feed.next };
    const saved = await saveOutput(task, run, captures, context);
    const facts: TaskFacts = {
      ...run,
      fetchError: run.feed?.kind === 'failed' ? run.feed.message : undefined,
      saveError: saved.error,
      diskFull: isDiskFull(context.settings),
    };
    return { kind: 'report', report: writeReport(task, facts, saved) };
  } finally {
    for (const capture of Object.values(captures)) fs.closeSync(capture.readEnd);
  }
}

/** Replaced by each script; read when all is over. */
interface Captures {
  stdout?: Captured;
  stderr?: Captured;
}

interface Run {
  readonly script: 'init' | 'exec';
  readonly shell?: ShellResult;
  readonly dumpedCore: boolean;
  readonly core?: CoreDump;
  readonly internal?: string;
  readonly feed?: FeedResult;
}

async function runScripts(task: TaskDescription, context: TaskContext, captures: Captures): Promise<Run> {
  const failed = (internal: string): Run => ({ script: 'exec', dumpedCore: false, internal });
  try {
    fs.mkdirSync(context.paths.captureDirectory, { recursive: true }); // the task before may have tidied up
    const init = await runInit(task, context, captures);
    if (init !== undefined) return init;
    fs.mkdirSync(context.paths.captureDirectory, { recursive: true }); // and so may init
    if (!context.markers.taskBegins(task.taskId)) return failed('lackey crashed');
    return await runExec(task, context, captures);
  } catch (error) {
    return failed((error as Error).message);
  }
}

/** @returns undefined when the command may run. */
async function runInit(task: TaskDescription, context: TaskContext, captures: Captures): Promise<Run | undefined> {
  const { markers, settings, launcher } = context;
  const { init } = task.taskPhase;
  const state = markers.initState();
  if (state === 'undefined') {
    return { script: 'init', dumpedCore: false, internal: 'lackey crashed during zone init' };
  }
  if (state === 'done') return undefined;
  if (init === undefined) {
    markers.initNotNeeded();
    return undefined;
  }
  markers.initBegins();
  const stdin = fs.openSync('/dev/null', 'r');
  const stdout = fs.openSync('/dev/null', 'w');
  const stderr = capture(context, captures, 'stderr');
  const running = launcher.run({
    script: init,
    env: commandEnvironment(task, 'init', context),
    stdin,
    stdout,
    stderr,
    offerToOomKiller: settings.offerToOomKiller,
  });
  await running.begun;
  for (const descriptor of [stdin, stdout, stderr]) fs.closeSync(descriptor);
  const run = await finish({ script: 'init', running }, context);
  if (run.shell?.code !== 0 || run.dumpedCore) return run;
  markers.initSucceeded();
  return undefined;
}

async function runExec(task: TaskDescription, context: TaskContext, captures: Captures): Promise<Run> {
  const { settings, agent, socketPath, launcher } = context;
  let input: ReturnType<typeof openInput>;
  try {
    input = openInput(task, context.paths);
  } catch (error) {
    throw new Error(`failed to open input: ${(error as Error).message}`);
  }
  const stdout = capture(context, captures, 'stdout');
  const stderr = capture(context, captures, 'stderr');
  const commandEnded = new AbortController();
  const running = launcher.run({
    script: task.taskPhase.exec,
    env: commandEnvironment(task, 'exec', context),
    stdin: input.readEnd,
    stdout,
    stderr,
    offerToOomKiller: settings.offerToOomKiller,
  });
  await running.begun;
  for (const descriptor of [input.readEnd, stdout, stderr]) fs.closeSync(descriptor);
  const { pipe } = input;
  const feeding =
    pipe && feedInputs(task, { socketPath, agent, stdin: pipe.writer, commandEnded: commandEnded.signal });
  let releasing: NodeJS.Timeout | undefined;
  const fed = feeding?.then((feed) => {
    // A reducer without its inputs, or without its task, has nothing to wait for.
    if (feed.kind !== 'over') return context.killProcesses();
    if (!commandEnded.signal.aborted) releasing = setInterval(() => pipe?.releaseReaders(), releasePauseMs);
    return undefined;
  });
  const run = await finish({ script: 'exec', running }, context);
  if (feeding !== undefined) commandEnded.abort(); // an abort makes an error with its stack, also when nobody listens
  await fed;
  clearInterval(releasing);
  pipe?.writer.destroy();
  pipe?.forget();
  return feeding === undefined ? run : { ...run, feed: await feeding };
}

/** Waits for the shell, then ends what it left behind. A core dumped by any process ends them all at once. */
async function finish(
  { script, running }: { script: Run['script']; running: Running },
  { cores, killProcesses }: TaskContext,
): Promise<Run> {
  let killing: Promise<void> | undefined;
  const endWatch = cores.begin(() => {
    killing ??= killProcesses();
  });
  const shell = await running.ended;
  await killing;
  await killProcesses();
  const core = endWatch();
  return { script, shell, dumpedCore: core !== undefined, ...(core === undefined ? {} : { core }) };
}

/** How long a command that opens its standard input by name may wait for an input that has ended. */
const releasePauseMs = 50;

/** `pipe` is there for reducers, whose input is still to come. @throws when the input cannot be opened. */
function openInput(
  task: TaskDescription,
  { captureDirectory }: Paths,
): { readonly readEnd: number; readonly pipe?: InputPipe } {
  if (!isReduce(task)) return { readEnd: fs.openSync(task.taskInputFile ?? '/dev/null', 'r') };
  const pipe = openPipe(join(captureDirectory, 'stdin'));
  return { readEnd: pipe.readEnd, pipe };
}

function capture({ paths }: TaskContext, captures: Captures, name: 'stdout' | 'stderr'): number {
  const previous = captures[name];
  if (previous !== undefined) fs.closeSync(previous.readEnd);
  const opened = openCapture(paths.captureDirectory, name);
  captures[name] = opened;
  return opened.writeEnd;
}

interface Saved {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly error?: string;
}

/** Uploads what is long, encodes what is short. Only the first error is kept. */
async function saveOutput(
  task: TaskDescription,
  run: Run,
  captures: Captures,
  { socketPath, hasEmitted, log }: TaskContext,
): Promise<Saved> {
  if (run.internal !== undefined || run.shell?.error !== undefined) return {};
  const wanted = {
    stdout: run.script === 'exec' && !hasEmitted() ? captures.stdout : undefined,
    stderr: run.shell?.code === 0 && !run.dumpedCore ? undefined : captures.stderr,
  };
  const names = { stdout: task.taskOutputKey, stderr: task.taskErrorKey };
  let saved: Saved = {};
  for (const stream of ['stdout', 'stderr'] as const) {
    const capture = wanted[stream];
    if (capture === undefined) continue;
    try {
      if (sizeOf(capture) <= maxInlineBytes) saved = { ...saved, [stream]: readAll(capture).toString('base64') };
      else await upload({ socketPath, name: names[stream], stream, descriptor: capture.readEnd });
    } catch (error) {
      const message = `error saving ${stream}: ${(error as Error).message}`;
      log.warn(message, { taskId: task.taskId });
      saved = { error: message, ...saved };
    }
  }
  if (run.core !== undefined && captures.stderr !== undefined)
    await saveCore(task, { dump: run.core, sinceMs: begunMs(captures.stderr), socketPath, log });
  return saved;
}

const diskReserveBytes = 10 * 1024 * 1024;

/** Only of a disk that is the zone's own. The limit is that of the agent, spec 05 §8.1. */
function isDiskFull({ root }: Settings): boolean {
  if (root !== '') return false;
  const { bavail, bsize } = fs.statfsSync('/');
  return bavail * bsize < diskReserveBytes;
}

function writeReport(task: TaskDescription, facts: TaskFacts, { stdout, stderr }: Saved): TaskReport {
  const fail = decideFailure(facts);
  const [key] = task.taskInputKeys;
  return {
    taskId: task.taskId,
    ...(fail === undefined ? { commit: true } : { fail }),
    ...(isReduce(task) || key === undefined ? {} : { key }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
  };
}
