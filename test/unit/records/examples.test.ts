import t from 'tap';
import { isDomainRecord } from '../../../src/records/domain.js';
import { isErrorRecord } from '../../../src/records/error.js';
import { flagOf, isTrue } from '../../../src/records/flags.js';
import { isHealthRecord } from '../../../src/records/health.js';
import { freshStats, isJobRecord, isPrivileged } from '../../../src/records/job.js';
import { isJobInputRecord, newJobInput } from '../../../src/records/job-input.js';
import { isStorageRecord } from '../../../src/records/storage.js';
import { isTaskRecord } from '../../../src/records/task.js';
import { isTaskInputRecord } from '../../../src/records/task-input.js';
import { isTaskOutputRecord } from '../../../src/records/task-output.js';

const time = '2019-05-02T10:00:00.000Z';
const job = {
  jobId: 'j',
  name: '',
  owner: 'o',
  auth: { login: 'wilma', token: 'tok' },
  phases: [
    { type: 'map', exec: 'wc -w' },
    { type: 'reduce', count: 2, memory: 2048, exec: 'cat' },
  ],
  options: {},
  state: 'done',
  timeCreated: time,
  stats: freshStats,
};
const task = {
  taskId: 't',
  jobId: 'j',
  domain: 'd',
  phaseNum: 0,
  mantaComputeId: 'c',
  agentGeneration: time,
  state: 'dispatched',
  timeDispatched: time,
};
const taskInput = {
  taskInputId: 'i',
  jobId: 'j',
  taskId: 't',
  domain: 'd',
  mantaComputeId: 'c',
  agentGeneration: time,
  input: '/wilma/stor/a',
  account: 'o',
  objectid: '/dev/null',
  servers: [{ mantaComputeId: 'c', zonename: 'z' }],
  timeDispatched: time,
};
const taskOutput = { jobId: 'j', taskId: 't', domain: 'd', phaseNum: 0, output: '/wilma/stor/b', timeCreated: time };
const error = { errorId: 'e', jobId: 'j', domain: 'd', phaseNum: '0', errorCode: 'UserTaskError', errorMessage: '' };

// biome-ignore format: table
const cases: readonly [title: string, check: { problem(value: unknown): string | null }, value: unknown, problem: string | null][] = [
  ['a job', isJobRecord, job, null],
  ['a job may hold members that nobody knows', isJobRecord, { ...job, extra: 1 }, null],
  ['a phase may not', isJobRecord, { ...job, phases: [{ exec: 'wc', extra: 1 }] }, 'property "job.phases.0": must NOT have additional properties'],
  ['an illegal memory size', isJobRecord, { ...job, phases: [{ exec: 'wc', memory: 3 }] }, 'property "job.phases.0.memory": must be equal to one of the allowed values'],
  ['a job without an owner', isJobRecord, { ...job, owner: undefined }, 'property "job.owner": must have required property \'owner\''],
  ['a job input', isJobInputRecord, newJobInput('j', '/wilma/stor/a', 0, 'd'), null],
  ['a task', isTaskRecord, { ...task, wantRetry: 'TRUE', result: 'ok' }, null],
  ['a task in an unknown state', isTaskRecord, { ...task, state: 'lost' }, 'property "task.state": must be equal to one of the allowed values'],
  ['a task with half a phase', isTaskRecord, { ...task, phaseNum: 0.5 }, 'property "task.phaseNum": must be integer'],
  ['a task input', isTaskInputRecord, taskInput, null],
  ['a task input without servers', isTaskInputRecord, { ...taskInput, servers: [{}] }, 'property "taskinput.servers.0.mantaComputeId": must have required property \'mantaComputeId\''],
  ['a task output', isTaskOutputRecord, { ...taskOutput, rIdx: 127 }, null],
  ['a task output for a reducer too many', isTaskOutputRecord, { ...taskOutput, rIdx: 128 }, 'property "taskoutput.rIdx": must be <= 127'],
  ['an error as read', isErrorRecord, error, null],
  ['an error as written', isErrorRecord, { ...error, phaseNum: 0 }, null],
  ['a heartbeat', isHealthRecord, { component: 'agent', instance: 'c', generation: time }, null],
  ['a domain', isDomainRecord, { domainId: 'd', operatedBy: 'd', wantTransfer: '' }, null],
  ['a storage node', isStorageRecord, { manta_storage_id: '1.stor', percentUsed: 4 }, null],
  ['null', isStorageRecord, null, 'property "storage": must be object'],
];
for (const [title, check, value, problem] of cases) t.equal(check.problem(value), problem, title);

t.ok(['true', 'TRUE', true].every(isTrue), 'flags are true in every spelling that Moray gives back');
t.notOk(['false', 'FALSE', false, undefined, null, ''].some(isTrue), 'and false otherwise');
t.equal(flagOf(true), 'true', 'they are written in lower case');
t.ok(isPrivileged({ login: 'a', token: 't', groups: ['operators'] }), 'operators by the legacy form');
t.notOk(
  isPrivileged({ login: 'a', token: 't', groups: ['operators'], principal: { account: { isOperator: false } } }),
  'the principal wins over the legacy form',
);
