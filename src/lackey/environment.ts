/** The environment of user commands: these variables and no others. Source: spec 06 §4.1. */
import type { TaskDescription } from '../taskapi/types.js';
import type { Settings } from './settings.js';

/** By this variable the zone's processes are found where they share a pid namespace with others. */
export const markVariable = 'MARLIN_ZONE';

/** @param port on which the storage endpoint listens. @param script `init` knows nothing of inputs and reducers. */
export function commandEnvironment(
  task: TaskDescription,
  script: 'init' | 'exec',
  { settings, port }: { readonly settings: Settings; readonly port: number },
): Record<string, string> {
  return {
    DTRACE_DOF_INIT_DISABLE: '1',
    HOME: '/root',
    PATH: `${settings.toolsDirectory}:/opt/local/bin:/opt/local/sbin:${settings.path}`,
    MANTA_JOB_ID: task.jobId,
    MANTA_USER: task.login,
    MANTA_NO_AUTH: 'true',
    MANTA_URL: `http://localhost:${port}/`,
    MANTA_OUTPUT_BASE: task.taskOutputBase,
    ...(script === 'exec' ? inputVariables(task) : {}),
    ...(settings.kill === 'marked' ? { [markVariable]: settings.zone } : {}),
  };
}

function inputVariables(task: TaskDescription): Record<string, string> {
  if (isReduce(task)) return { MANTA_REDUCER: String(task.rIdx ?? 0) };
  const object = task.taskInputKeys[0];
  const file = task.taskInputFile;
  return {
    ...(object === undefined ? {} : { MANTA_INPUT_OBJECT: object, mc_input_key: object }),
    ...(file === undefined ? {} : { MANTA_INPUT_FILE: file, mc_input_file: file }), // mc_: names of old, still read
  };
}

export function isReduce(task: TaskDescription): boolean {
  return task.taskPhase.type === 'reduce';
}
