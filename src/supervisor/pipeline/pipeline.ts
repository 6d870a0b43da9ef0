/** Carries origins through the pipeline: finds, decides, writes, and keeps the job's hints. One promise per record. */

import { agentChannel } from '../../bus/channels.js';
import type { BucketName } from '../../records/buckets.js';
import type { DomainContext } from '../domain-context.js';
import { adjustCount, adjustOpen, type Job, touch } from '../jobs/job.js';
import { inputArrived } from '../tasks/mark.js';
import { type Dispatch, decideDispatch, leavesInput, type Origin } from './decide.js';
import type { Finder } from './find.js';
import { isAnonymousOfPhase } from './names.js';
import { PipelineShares } from './share.js';
import { hasRoom, unblock } from './window.js';

export interface Pipeline {
  /** Records that have a place in it. */
  readonly inHand: number;
  /** Resolves when the origin is through, or was let go: then it comes again. */
  dispatch(origin: Origin, job: Job): Promise<void>;
}

export function createPipeline(context: DomainContext, finder: Finder): Pipeline {
  const shares = new PipelineShares(context.tunables.maxPendingDispatches, () =>
    context.wake('jobInputs', 'taskOutputs', 'retryTasks'),
  );

  const carry = async (origin: Origin, job: Job, giveUpPlace: () => void): Promise<void> => {
    const found = await finder.find(origin.name, job.stored.value.auth, giveUpPlace);
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
      loadOf: (agent) => context.load.of(agent),
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
      if (dispatch.to === 'taskinput') {
        adjustCount(job.writesTo, dispatch.taskId, -1);
        inputArrived(job, context);
      }
      if (results === null) undo();
    }
    if (results === null) {
      unblock(job, context);
      context.wake(queryOf[origin.kind]); // it may have been the record of a moment ago
      return;
    }
    passedOn(origin, dispatch, job);
    context.counters[counterOf[dispatch.to]]++;
    if (dispatch.to === 'task') context.taskGiven(dispatch);
    if (dispatch.to === 'taskinput' && dispatch.read) context.wake('removeTaskInput');
    if (dispatch.to === 'error') removeLeft(origin, job);
  };

  /** What was to be an input is one of nobody: at once, or, if that fails, with the objects of the job's owner. */
  const removeLeft = (origin: Origin, job: Job): void => {
    if (leavesInput(origin)) context.wake('removeInput');
    else if (origin.kind === 'taskoutput' && isAnonymousOfPhase(origin.name, job.jobId, origin.phase - 1))
      context.follow('removing an object', context.remove(job, origin.name));
  };

  const foresee = (dispatch: Exclude<Dispatch, { to: 'wait' }>, job: Job): (() => void) => {
    if (dispatch.to === 'taskinput') adjustCount(job.writesTo, dispatch.taskId, 1);
    if (dispatch.to !== 'task') return () => {};
    context.load.adjust(job, 'map', dispatch.agent, 1);
    return () => context.load.adjust(job, 'map', dispatch.agent, -1);
  };

  return {
    get inHand() {
      return shares.inHand;
    },
    async dispatch(origin, job) {
      if (job.blockedBy !== null && !isReducePhase(job, origin.phase)) return;
      if (job.phases[origin.phase] === undefined) return;
      const giveUpPlace = shares.enter(job);
      if (giveUpPlace === null) return;
      job.inHand++;
      touch(job, context.env().nowMs);
      try {
        await carry(origin, job, giveUpPlace);
      } finally {
        job.inHand--;
        giveUpPlace();
        context.changed(job);
      }
    },
  };
}

const counterOf = {
  task: 'inputsToTasks',
  taskinput: 'inputsToReducers',
  error: 'inputsToErrors',
  nothing: 'inputsDropped',
} as const;

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
  if (dispatch.to === 'error' && leavesInput(origin)) job.removals++;
}

function notifications(dispatch: Dispatch): (readonly [string, readonly BucketName[]])[] {
  if (dispatch.to === 'task') return [[agentChannel(dispatch.agent), ['task']]];
  if (dispatch.to === 'taskinput' && !dispatch.read) return [[agentChannel(dispatch.agent), ['taskinput']]];
  return [];
}
