/** What happens to each task record that a query of the domain delivers; decisions are in the files beside this one. */

import { agentChannel } from '../../bus/channels.js';
import type { Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import type { BucketName } from '../../records/buckets.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskInputRecord } from '../../records/task-input.js';
import { chooseAgent } from '../agents.js';
import type { DomainContext } from '../domain-context.js';
import { adjustCount, adjustOpen, type Job, lastPhase } from '../jobs/job.js';
import { loadReducers } from '../jobs/load.js';
import { retryOrigin } from '../pipeline/decide.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import { unblock } from '../pipeline/window.js';
import { commitTask } from './commit.js';
import { countOutputs, inputArrived } from './mark.js';
import { copyInput, followRetry, retryReduce } from './reduce-retry.js';

export async function commitDone(task: Stored<TaskRecord>, job: Job, context: DomainContext): Promise<void> {
  const { value } = task;
  const { tunables } = context;
  const reducer = reducerOf(job, value);
  const commit = commitTask(task, {
    ...context.env(),
    lastPhase: lastPhase(job),
    jobCancelled: job.cancelled !== null,
    maxTaskRetries: tunables.maxTaskRetries,
    updateLimit: tunables.maxRecordsPerUpdate,
    inputsArriving: job.writesTo.has(value.taskId),
  });
  // From now on inputs for a reducer that has ended are not sent to it; a lost write only makes them wait.
  if (reducer !== undefined && commit.outcome !== 'retried') reducer.set({ ...reducer.current, finished: true });
  const results = await context.write(commit.operations);
  if (results === null) {
    reducer?.set(reducer.current);
    context.wake('doneTasks');
    if (reducer !== undefined) await loadReducers(job, context); // it may have been done, and the answer was lost
    return;
  }
  if (commit.outcome === 'ok') job.stats.nTasksCommittedOk++;
  else job.stats.nTasksCommittedFail++;
  if (commit.outcome === 'retried') job.stats.nRetries++;
  if (commit.outcome === 'failed') job.stats.nErrors++;
  if (commit.outcome === 'ok') context.counters.tasksCommittedOk++;
  else context.counters.tasksCommittedFail++;
  if (commit.outcome === 'retried') context.counters.tasksRetried++;
  context.load.adjust(job, value.rIdx === undefined ? 'map' : 'reduce', value.mantaComputeId, -1);
  unblock(job, context);
  if (commit.outputsUpdate !== null) countOutputs(job, value.phaseNum, results[commit.outputsUpdate]?.count ?? 0);
  if (commit.outputsUpdate !== null && value.phaseNum < lastPhase(job)) context.wake('taskOutputs');
  if (commit.inputsUpdate !== null) {
    const count = results[commit.inputsUpdate]?.count ?? 0;
    job.removals += count;
    if (count > 0) context.wake('removeTaskInput');
  }
  if (commit.removesInput) {
    job.removals++;
    context.wake('removeInput');
  }
  if (commit.complete) adjustOpen(job, value.phaseNum, -1);
  else context.wake('markOutputs', 'markCleanup', 'retryTasks');
  context.changed(job);
}

function reducerOf(job: Job, task: TaskRecord) {
  const reducers = job.phases[task.phaseNum]?.reducers;
  const index = task.rIdx;
  const current = index === undefined ? undefined : reducers?.[index];
  if (reducers === undefined || index === undefined || current?.taskId !== task.taskId) return undefined;
  return {
    current,
    /** Unless it has a successor by now. */
    set: (reducer: typeof current) => {
      if (reducers[index]?.taskId === task.taskId) reducers[index] = reducer;
    },
  };
}

/** Runs a failed task again: a map task goes through the pipeline once more, a reduce task is placed anew. */
export async function retryTask(
  task: Stored<TaskRecord>,
  job: Job,
  context: DomainContext,
  pipeline: Pipeline,
): Promise<void> {
  if (task.value.input !== undefined) return pipeline.dispatch(retryOrigin(task), job);
  const { value } = task;
  const phase = job.phases[value.phaseNum];
  const candidates = context.agents.living().map(({ instance }) => instance);
  const loadOf = (known: string) => context.load.of(known);
  const agent = chooseAgent({ candidates, avoid: value.mantaComputeId, loadOf, random: context.env().random });
  const generation = agent === undefined ? undefined : context.agents.get(agent)?.generation;
  if (phase === undefined || agent === undefined || generation === undefined) return; // comes again: somebody may live then
  const retry = retryReduce(task, { agent, generation }, context.env());
  const notify: (readonly [string, readonly BucketName[]])[] = [[agentChannel(agent), ['task']]];
  if ((await context.write(retry.operations, { notify })) === null) {
    context.wake('retryTasks', 'markRetry');
    return;
  }
  followRetry(value, { taskId: retry.taskId, agent, generation }, job);
  context.load.adjust(job, 'reduce', agent, 1);
  context.taskGiven({ agent, generation });
  adjustOpen(job, value.phaseNum, 1); // the failed one is through when its inputs are moved, the new one is open
  job.stats.nTasksDispatched++;
  context.wake('markRetry');
  context.changed(job);
}

export async function moveInput(input: Stored<TaskInputRecord>, job: Job, context: DomainContext): Promise<void> {
  const { phaseNum = 0, retryTaskId = '', retryMantaComputeId = '' } = input.value;
  const target = job.phases[phaseNum]?.reducers.find((reducer) => reducer?.taskId === retryTaskId);
  const finished = target?.finished === true;
  adjustCount(job.writesTo, retryTaskId, 1);
  const notify: (readonly [string, readonly BucketName[]])[] = finished
    ? []
    : [[agentChannel(retryMantaComputeId), ['taskinput']]];
  const results = await context
    .write(copyInput(input, finished, context.env()), { notify })
    .finally(() => adjustCount(job.writesTo, retryTaskId, -1));
  if (results === null) return;
  adjustOpen(job, phaseNum, -1);
  if (finished && phaseNum > 0) {
    job.removals++;
    context.wake('removeTaskInput');
  }
  inputArrived(job, context);
  context.changed(job);
}

/** Removes the object of a task or task input that is not needed any more, then says so in the record. */
export async function removeInput(
  record: Stored<TaskRecord> | Stored<TaskInputRecord>,
  job: Job,
  context: DomainContext,
): Promise<void> {
  if (record.value.input !== undefined) await context.remove(job, record.value.input);
  const { bucket, key, etag, value } = record;
  const timeInputRemoved = isoTime(context.env().nowMs);
  const put = { op: 'put', bucket, key, etag, value: { ...value, timeInputRemoved } } as const;
  if ((await context.write([put])) === null) return;
  job.removals = Math.max(0, job.removals - 1);
  context.changed(job);
}
