/** The names that the task works with, from which the lackey makes the environment. Source: chapter 6, section 1.5. */
import type { TaskHook } from './hook.js';

export const environment: TaskHook = {
  name: 'environment',
  async setUp({ zone, driver, details, task }) {
    const { input, p0input, jobId, phaseNum } = task.stored.value;
    const stor = `/${details.login}/jobs/${jobId}/stor`;
    const object = details.isReduce ? 'reduce' : (p0input ?? withoutPrefix(input ?? '', stor));
    const base = `${stor}/${object}.${phaseNum}.`.replace(/\/{2,}/g, '/');
    return {
      taskOutputKey: `${base}${task.id}`,
      taskErrorKey: `${base}err.${task.id}`,
      taskOutputBase: base,
      taskCoreBase: `${stor}/cores/${phaseNum}/`,
      ...(details.isReduce ? { taskInputRemote: driver.socketInZone(zone) } : {}),
    };
  },
};

function withoutPrefix(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
