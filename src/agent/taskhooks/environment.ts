/** The names that the task works with, from which the lackey makes the environment. Source: spec 06 §1.5. */
import { taskObjectNames } from '../../taskapi/object-names.js';
import type { TaskHook } from './hook.js';

export const environment: TaskHook = {
  name: 'environment',
  async setUp({ zone, driver, details, task }) {
    const { input, p0input, jobId, phaseNum } = task.stored.value;
    const { login, isReduce } = details;
    return {
      ...taskObjectNames({ login, jobId, phaseNum, taskId: task.id, isReduce, input, p0input }),
      ...(isReduce ? { taskInputRemote: driver.socketInZone(zone) } : {}),
    };
  },
};
