/** A job of many tasks with plausible times: some servers with some zones each run one after another; one in 100 fails. */
import type { BatchRequest, MorayClient } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';

const startMs = Date.parse('2026-03-01T10:00:00.000Z');
const time = (ms: number) => new Date(startMs + ms).toISOString();
const laneCount = 32;

interface Wanted {
  readonly count: number;
  readonly name: string;
}

/** @returns the job, and the input of its longest task. */
export async function putTimedTasks(
  moray: MorayClient,
  { count, name }: Wanted,
): Promise<{ readonly jobId: string; readonly longest: string }> {
  const jobId = `timed-${count}`;
  const free = Array.from({ length: laneCount }, () => 200);
  let requests: BatchRequest[] = [];
  let longest = { input: '', ms: 0 };
  let last = 0;
  for (let index = 0; index < count; index++) {
    const lane = index % laneCount;
    const started = free[lane] ?? 0;
    const ms = 20 + ((index * 7919) % 400) + (index % 997 === 0 ? 2000 + index : 0);
    free[lane] = started + ms + 5;
    last = Math.max(last, started + ms);
    const input = `/wilma/stor/texts/${String(index).padStart(6, '0')}`;
    if (ms > longest.ms) longest = { input, ms };
    const isFailed = index % 100 === 50;
    const taskId = `${jobId}-${String(index).padStart(8, '0')}`;
    const value = {
      ...{ taskId, jobId, domain: 'd', phaseNum: 0, nattempts: 1, input, state: 'done', nOutputs: 1 },
      ...{ mantaComputeId: `${(lane % 4) + 1}.cn.example.com`, machine: `zone-${String(lane).padStart(4, '0')}` },
      ...{ result: isFailed ? 'fail' : 'ok', agentGeneration: 'g', timeDispatched: time(100), timeAccepted: time(150) },
      ...{ timeStarted: time(started), timeDone: time(started + ms), timeCommitted: time(started + ms + 3) },
    };
    requests.push({ operation: 'put', bucket: defaultBuckets.task, key: taskId, value });
    if (isFailed)
      requests.push({ operation: 'put', bucket: defaultBuckets.error, key: `e-${taskId}`, value: errorOf(value) });
    if (requests.length >= 500) {
      await moray.batch(requests);
      requests = [];
    }
  }
  const stats = { nErrors: Math.floor(count / 100), nTasksDispatched: count, nTasksCommittedOk: count };
  const job = {
    ...{ jobId, name, owner: 'o', auth: { login: 'wilma', token: 't' }, state: 'done', worker: 'd', stats },
    ...{ phases: [{ type: 'map', exec: 'wc -w' }], timeCreated: time(0), timeDone: time(last + 50) },
    timeInputDone: time(50),
  };
  await moray.batch([...requests, { operation: 'put', bucket: defaultBuckets.job, key: jobId, value: job }]);
  return { jobId, longest: longest.input };
}

function errorOf({ taskId, jobId, input, timeCommitted }: Readonly<Record<string, unknown>>): object {
  return {
    ...{ errorId: `e-${taskId}`, jobId, domain: 'd', phaseNum: 0, taskId, input, p0input: input, retried: 'false' },
    ...{ errorCode: 'UserTaskError', errorMessage: 'user command exited with code 1', timeCommitted },
  };
}
