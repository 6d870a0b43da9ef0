/** Carries origins through the pipeline: finds, decides, writes, and keeps the job's hints. One promise per record. */

import { agentChannel } from '../../bus/channels.js';
import type { BucketName } from '../../records/buckets.js';
import type { DomainContext } from '../domain-context.js';
import { adjustCount, adjustOpen, type Job, touch } from '../jobs/job.js';
import { type Dispatch, decideDispatch, type Origin } from './decide.js';
import type { Finder } from './find.js';
import { hasRoom, unblock } from './window.js';

export interface Pipeline {
  /** Resolves when the origin is through, or was let go: then it comes again. */
  dispatch(origin: Origin, job: Job): Promise<void>;
}

/**
 * @param agentUsed is told of each task written, with the generation it bears: the agent may have restarted meanwhile.
 */
export function createPipeline(
  context: DomainContext,
  finder: Finder,
  agentUsed: (agent: string, generation: string) => void,
): Pipeline {
  let inHand = 0;
  let refused = false;
  const limit = context.tunables.maxPendingDispatches;

  const carry = async (origin: Origin, job: Job): Promise<void> => {
    const found = await finder.find(origin.name, job.stored.value.auth);
    if (job.dropped) return;
    const phase = job.phases[origin.phase];
    const living = new Map(context.agents.living().map((agent) => [agent.instance, agent.generation]));
    const dispatch = decideDispatch(origin, found, {
      ...context.env(),
      jobId: job.jobId,
      domain: context.domain,
      cancelled: job.cancelled !== null,
      living,
      mayReturn: context.mayReturn,
      hasRoom: (agent) => hasRoom(job, agent, context.tunables.maxTasksPerAgent),
      reducers: phase?.isReduce ? phase.reducers : undefined,
      reducersMayCome: !phase?.reducersRefused,
    });
    await carryOut(origin, dispatch, job);
  };

  const carryOut = async (origin: Origin, dispatch: Dispatch, job: Job): Promise<void> => {
    if (dispatch.to === 'wait') {
      if (dispatch.blockedBy !== null) job.blockedBy = dispatch.blockedBy;
      return;
    }
    const undo = foresee(dispatch, job);
    const notify = notifications(dispatch);
    let results: readonly unknown[] | null = null;
    try {
      results = await context.write(dispatch.operations, { notify });
    } finally {
      if (dispatch.to === 'taskinput') adjustCount(job.writesTo, dispatch.taskId, -1);
      if (results === null) undo();
    }
    if (results === null) {
      unblock(job, context);
      context.wake(queryOf[origin.kind]); // it may have been the record of a moment ago
      return;
    }
    passedOn(origin, dispatch, job);
    if (dispatch.to === 'task') agentUsed(dispatch.agent, dispatch.generation);
    if (dispatch.to === 'taskinput' && dispatch.read) context.wake('removeTaskInput');
  };

  const foresee = (dispatch: Exclude<Dispatch, { to: 'wait' }>, job: Job): (() => void) => {
    if (dispatch.to === 'taskinput') adjustCount(job.writesTo, dispatch.taskId, 1);
    if (dispatch.to !== 'task') return () => {};
    adjustCount(job.unfinished, dispatch.agent, 1);
    return () => adjustCount(job.unfinished, dispatch.agent, -1);
  };

  return {
    async dispatch(origin, job) {
      if (inHand >= limit || (job.blockedBy !== null && !isReducePhase(job, origin.phase))) {
        refused = true;
        return;
      }
      const phase = job.phases[origin.phase];
      if (phase === undefined) return;
      inHand++;
      job.inHand++;
      touch(job, context.env().nowMs);
      try {
        await carry(origin, job);
      } finally {
        inHand--;
        job.inHand--;
        context.changed(job);
        if (refused && inHand < limit / 2) {
          refused = false;
          context.wake('jobInputs', 'taskOutputs', 'retryTasks');
        }
      }
    },
  };
}

const queryOf = { jobinput: 'jobInputs', taskoutput: 'taskOutputs', task: 'retryTasks' } as const;

function isReducePhase(job: Job, phase: number): boolean {
  return job.phases[phase]?.isReduce === true;
}

/** Hints after the write. */
function passedOn(origin: Origin, dispatch: Exclude<Dispatch, { to: 'wait' }>, job: Job): void {
  if (origin.kind === 'jobinput') {
    job.inputsLeft = Math.max(0, job.inputsLeft - 1);
    job.stats.nInputsRead++;
  } else adjustOpen(job, origin.kind === 'taskoutput' ? origin.phase - 1 : origin.phase, -1);
  if (dispatch.to === 'task') {
    adjustOpen(job, origin.phase, 1);
    job.stats.nTasksDispatched++;
  }
  if (dispatch.to === 'taskinput' && dispatch.read) job.removals++;
  if (dispatch.to === 'error') job.stats.nErrors++;
}

function notifications(dispatch: Dispatch): (readonly [string, readonly BucketName[]])[] {
  if (dispatch.to === 'task') return [[agentChannel(dispatch.agent), ['task']]];
  if (dispatch.to === 'taskinput' && !dispatch.read) return [[agentChannel(dispatch.agent), ['taskinput']]];
  return [];
}
