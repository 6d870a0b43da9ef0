/**
 * The lackey: runs inside a zone, asks the agent for tasks, runs the user's commands, reports how they ended, and serves
 * the storage endpoint to them. It holds no keys, and only ever asks. It imports nothing but Node's own modules and
 * taskapi/, so that a zone is ready 30 ms after it was started.
 *
 * usage: main.js SOCKET; the rest comes in the environment, see settings.ts.
 */
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { TaskDescription } from '../taskapi/types.js';
import { type AgentClient, connectablePath, createAgentClient } from './agent-client.js';
import { openCoreWatch } from './cores.js';
import { createLauncher } from './launcher.js';
import { createLog, type Log } from './log.js';
import { openMarkers } from './markers.js';
import { performTask, type TaskContext } from './perform-task.js';
import { assertOwnPidNamespace, killProcesses } from './processes.js';
import { startProxy } from './proxy.js';
import { readSettings, zonePaths } from './settings.js';

const heartbeatMs = 15_000;

async function main(socket: string): Promise<void> {
  const settings = readSettings(socket, process.env);
  const paths = zonePaths(settings.root);
  const log = createLog(settings.zone);
  const socketPath = connectablePath(socket);
  if (settings.kill === 'all') assertOwnPidNamespace();
  process.umask(0o022);
  await killProcesses(settings); // of a lackey that crashed

  prepareDirectory(paths.coreDirectory);
  fs.mkdirSync(paths.captureDirectory, { recursive: true });
  fs.mkdirSync(dirname(paths.pidFile), { recursive: true });
  fs.writeFileSync(paths.pidFile, `${process.pid}\n`);

  let emitted = false;
  const onEmit = () => {
    emitted = true;
  };
  // A zone that shares the machine's network must not lend its credentials to the neighbours.
  const host = settings.root === '' ? undefined : '127.0.0.1';
  const port = await startProxy({ socketPath, port: settings.port, host, onEmit, log });
  log.info('listening', { port });

  const agent = createAgentClient(socketPath, log);
  const markers = openMarkers(paths);
  const hasEmitted = () => emitted;
  const cores = openCoreWatch(settings.accountingFile, log);
  const launcher = createLauncher(settings.launcher);
  const context: TaskContext = {
    ...{ settings, paths, socketPath, port, agent, markers, cores, launcher, log, hasEmitted },
    async killProcesses() {
      await killProcesses(settings, launcher);
      await launcher.settled();
    },
  };
  let next: TaskDescription | undefined;
  for (;;) {
    const task = next ?? (await agent.nextTask());
    emitted = false;
    next = await endToEnd(task, context);
  }
}

/** @returns the task that the answer to the report brought. */
async function endToEnd(task: TaskDescription, context: TaskContext): Promise<TaskDescription | undefined> {
  const { agent, log } = context;
  const { jobId, taskId } = task;
  log.debug('task begins', { jobId, taskId });
  const stopHeartbeat = startHeartbeat(agent, log);
  const end = await performTask(task, context).finally(stopHeartbeat);
  if (end.kind === 'lost') {
    log.warn('the agent has taken the task back', { jobId, taskId });
    return end.next;
  }
  if (end.report.fail !== undefined) log.debug('task fails', { jobId, taskId, fail: end.report.fail });
  const answer = await agent.report(end.report);
  return answer === 'none' || answer === 'refused' ? undefined : answer;
}

function startHeartbeat(agent: AgentClient, log: Log): () => void {
  const beat = () => {
    agent.live().catch((error: Error) => log.warn('heartbeat failed', { error: error.message }));
  };
  const timer = setInterval(beat, heartbeatMs);
  return () => clearInterval(timer);
}

/** Makes it, and empties it of what an earlier lackey left. */
function prepareDirectory(directory: string): void {
  fs.mkdirSync(directory, { recursive: true });
  for (const name of fs.readdirSync(directory)) fs.rmSync(join(directory, name), { recursive: true, force: true });
}

const [, , socket, ...rest] = process.argv;
if (socket === undefined || rest.length > 0) {
  process.stderr.write('usage: node lackey.js socket_path\n');
  process.exitCode = 2;
} else {
  await main(socket);
}
