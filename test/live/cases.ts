/**
 * What a running system must do, case by case: jobs as data. Texts may name the account by `%user%` and the job by
 * `%job%`. Names of default outputs are built by `out` and `red`.
 */
import type { JobPhase } from '../support/jobs.js';

export interface ExpectedError {
  readonly phase?: string;
  readonly what?: string;
  readonly input?: string;
  readonly p0input?: string;
  readonly code: string;
  readonly message: string | RegExp;
  /** Name of the stored core; `undefined` when there is none. */
  readonly core?: RegExp;
}

export interface JobCase {
  readonly name: string;
  readonly phases: readonly JobPhase[];
  /** Made beforehand by the rules of `prepareInput`, then submitted in this order. */
  readonly inputs?: readonly string[];
  /** Submitted without being made. */
  readonly extraInputs?: readonly string[];
  /** Objects made beforehand that are no inputs. */
  readonly objects?: Readonly<Record<string, string>>;
  readonly outputs?: readonly (string | RegExp)[];
  /** Sorted, and compared with the sorted contents of the outputs. */
  readonly contents?: readonly (string | RegExp)[];
  readonly errors?: readonly ExpectedError[];
  /** Objects that may stay below JOB/stor beside outputs, stderr and core. */
  readonly mayStay?: RegExp;
  /** Milliseconds after which the job is cancelled. */
  readonly cancelWhenRunning?: boolean;
  readonly limitSeconds: number;
  /** What a zone must provide: without isolation, and root for accounting, some cases cannot hold. */
  readonly needs?: 'zone' | 'accounting';
}

const uuid = '[0-9a-z-]{36}';
const obj = (...numbers: readonly number[]) => numbers.map((number) => `/%user%/stor/obj${number}`);
const out = (name: string, phase: number) =>
  new RegExp(`^/%user%/jobs/%job%/stor/%user%/stor/${name}\\.${phase}\\.${uuid}$`);
const red = (phase: number) => new RegExp(`^/%user%/jobs/%job%/stor/reduce\\.${phase}\\.${uuid}$`);
const map = (exec: string, more: Partial<JobPhase> = {}): JobPhase => ({ type: 'map', exec, ...more });
const reduce = (exec: string, more: Partial<JobPhase> = {}): JobPhase => ({ type: 'reduce', exec, ...more });
const sum = "awk '{sum+=$1} END {print sum}'";
const control = 'curl -si -X POST http://localhost/my/jobs/task';
const dumpedCore = 'user command or child process dumped core';
const environment = 'env | egrep "^(MANTA_|HOME|DTRACE_)" | sort';

/** The three lines that depend on where the zone's port 80 is are left to the isolated drivers. */
const mapEnvironment = [
  'DTRACE_DOF_INIT_DISABLE=1',
  'HOME=/root',
  'MANTA_INPUT_FILE=/manta/%user%/stor/obj1',
  'MANTA_INPUT_OBJECT=/%user%/stor/obj1',
  'MANTA_JOB_ID=%job%',
  'MANTA_NO_AUTH=true',
  'MANTA_OUTPUT_BASE=/%user%/jobs/%job%/stor/%user%/stor/obj1.0.',
  'MANTA_URL=http://localhost:80/',
  'MANTA_USER=%user%',
].map((line) => `${line}\n`);

const reduceEnvironment = (index: number) =>
  [
    'DTRACE_DOF_INIT_DISABLE=1',
    'HOME=/root',
    'MANTA_JOB_ID=%job%',
    'MANTA_NO_AUTH=true',
    'MANTA_OUTPUT_BASE=/%user%/jobs/%job%/stor/reduce.0.',
    `MANTA_REDUCER=${index}`,
    'MANTA_URL=http://localhost:80/',
    'MANTA_USER=%user%',
  ]
    .map((line) => `${line}\n`)
    .join('');

export const jobCases: readonly JobCase[] = [
  {
    name: 'jobM: a map task per input, however often it is listed',
    phases: [map('wc')],
    inputs: obj(1, 1, 2, 3),
    outputs: [out('obj1', 0), out('obj1', 0), out('obj2', 0), out('obj3', 0)],
    limitSeconds: 60,
  },
  {
    name: 'jobMX: many outputs per task',
    phases: [map('cat > $HOME/tmpfile; for i in 1 2 3; do wc < $HOME/tmpfile | mpipe; done')],
    inputs: obj(1, 2),
    outputs: [1, 2].flatMap((number) => Array.from({ length: 3 }, () => out(`obj${number}`, 0))),
    limitSeconds: 60,
    needs: 'zone',
  },
  {
    name: 'jobM0bi: an empty input',
    phases: [map('wc')],
    inputs: ['/%user%/stor/0bytes'],
    outputs: [out('0bytes', 0)],
    contents: ['0 0 0\n'],
    limitSeconds: 15,
  },
  {
    name: 'jobM0bo: an empty output',
    phases: [map('true')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: [''],
    limitSeconds: 15,
  },
  { name: 'jobM0inputs: a map phase without inputs does nothing', phases: [map('wc')], outputs: [], limitSeconds: 15 },
  { name: 'jobR: a lone reducer', phases: [reduce('wc')], inputs: obj(1, 2, 3), outputs: [red(0)], limitSeconds: 90 },
  {
    name: 'jobR0inputs: a reducer runs once also without input',
    phases: [reduce('wc')],
    outputs: [red(0)],
    contents: ['      0       0       0\n'],
    limitSeconds: 15,
  },
  {
    name: 'jobMR: map, then reduce',
    phases: [map('wc'), reduce('wc')],
    inputs: obj(1, 2, 3),
    outputs: [red(1)],
    limitSeconds: 60,
  },
  {
    name: 'jobMM: map, then map',
    phases: [map('cat'), map('wc -c')],
    inputs: obj(1, 2),
    outputs: [out('obj1', 1), out('obj2', 1)],
    contents: ['50\n', '50\n'],
    limitSeconds: 60,
  },
  {
    name: 'jobMRRoutput: msplit spreads lines over reducers, each reaches exactly one',
    phases: [map('for i in {1..10}; do echo $i; done | msplit -n 3'), reduce(sum, { count: 3 }), reduce(sum)],
    inputs: obj(1),
    outputs: [red(2)],
    contents: ['55\n'],
    limitSeconds: 90,
  },
  {
    name: 'jobMRnormalize: names are normalised when they are dispatched, not where they are listed',
    phases: [reduce('mcat /%user%//stor/obj1'), map('wc -w')],
    inputs: ['/%user%/stor///obj1'],
    outputs: [out('obj1', 1)],
    contents: ['5\n'],
    limitSeconds: 30,
  },
  {
    name: 'jobMmpipeAnon: mpipe replaces captured output',
    phases: [map('echo foo; echo bar | mpipe')],
    inputs: obj(1, 2, 3),
    outputs: [out('obj1', 0), out('obj2', 0), out('obj3', 0)],
    contents: ['bar\n', 'bar\n', 'bar\n'],
    limitSeconds: 30,
  },
  {
    name: 'jobMmpipeNamed: mpipe -p makes the parent',
    phases: [map('echo foo; echo bar | mpipe -p /%user%/stor/extra/out1')],
    inputs: obj(1),
    outputs: ['/%user%/stor/extra/out1'],
    contents: ['bar\n'],
    limitSeconds: 15,
  },
  {
    name: 'jobMerrorMpipeMkdirp: without -p a missing parent is an error',
    phases: [map('echo hello | mpipe /%user%/stor/marlin_tests/1/2/3/4')],
    inputs: obj(1),
    errors: [{ code: 'UserTaskError', message: 'user command exited with code 1', input: '/%user%/stor/obj1' }],
    limitSeconds: 20,
  },
  {
    name: 'jobMmcat: emitted by reference, not copied',
    phases: [map('echo foo; mcat /%user%/stor/obj1')],
    inputs: obj(1, 2, 3),
    outputs: ['/%user%/stor/obj1', '/%user%/stor/obj1', '/%user%/stor/obj1'],
    limitSeconds: 15,
  },
  {
    name: 'jobMMRIntermedRm: an intermediate object that the user removed is no error',
    phases: [map('wc'), map('mrm $MANTA_INPUT_OBJECT && echo hello'), reduce('cat')],
    inputs: obj(1),
    outputs: [red(2)],
    contents: ['hello\n'],
    limitSeconds: 90,
  },
  {
    name: 'jobMerrorBadReducer: a reducer that does not exist',
    phases: [map('mpipe -r1'), reduce('wc')],
    inputs: obj(1),
    outputs: [red(1)],
    errors: [
      {
        phase: '1',
        code: 'InvalidArgumentError',
        message: 'reducer "1" specified, but only 1 reducers exist',
        p0input: '/%user%/stor/obj1',
      },
    ],
    mayStay: /obj1\.0\./,
    limitSeconds: 60,
  },
  {
    name: 'jobMMRenc: names that need encoding round-trip everywhere',
    phases: [
      map('mcat "$MANTA_INPUT_OBJECT"'),
      map('cat && echo'),
      reduce('sort | mpipe "${MANTA_OUTPUT_BASE} with spaces"'),
    ],
    inputs: ['/%user%/stor/my dir', '/%user%/stor/my obj1', '/%user%/stor/my dir/my obj', '/%user%/stor/M%41RK'],
    outputs: [/^\/%user%\/jobs\/.*\/stor\/reduce\.2\.* with spaces$/],
    contents: [
      'auto-generated content for key /someuser/stor/M%41RK\nauto-generated content for key /someuser/stor/my dir/my obj\nauto-generated content for key /someuser/stor/my obj1\n',
    ],
    errors: [
      { code: 'InvalidArgumentError', message: 'objects of type "directory" are not supported: "/%user%/stor/my dir"' },
    ],
    limitSeconds: 45,
  },
  {
    name: 'jobMpwd',
    phases: [map('pwd')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['/\n'],
    limitSeconds: 30,
    needs: 'zone',
  },
  {
    name: 'jobMenv',
    phases: [map(environment)],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: [mapEnvironment.join('')],
    limitSeconds: 30,
    needs: 'zone',
  },
  {
    name: 'jobRenv',
    phases: [reduce(`cat > /dev/null; ${environment}`, { count: 3 })],
    outputs: [red(0), red(0), red(0)],
    contents: [reduceEnvironment(0), reduceEnvironment(1), reduceEnvironment(2)],
    limitSeconds: 30,
    needs: 'zone',
  },
  {
    name: 'jobMimage',
    phases: [map('grep 16.1.0 /etc/motd', { image: '16.1.0' })],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    limitSeconds: 60,
    needs: 'zone',
  },
  {
    name: 'jobMmemoryDefault',
    phases: [map('prtconf | grep -i memory')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['Memory size: 1024 Megabytes\n'],
    limitSeconds: 15,
    needs: 'zone',
  },
  {
    name: 'jobMasset: assets are executable',
    phases: [map('/assets/%user%/stor/test_asset.sh 17', { assets: ['/%user%/stor/test_asset.sh'] })],
    objects: { '/%user%/stor/test_asset.sh': '#!/bin/bash\necho "sarabi" "$*"\n' },
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['sarabi 17\n'],
    limitSeconds: 30,
    needs: 'zone',
  },
  {
    name: 'jobMmget: the standard commands work inside a task',
    phases: [map('mget $MANTA_INPUT_OBJECT > $HOME/tmpfile; diff $MANTA_INPUT_FILE $HOME/tmpfile && echo okay')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['okay\n'],
    limitSeconds: 30,
    needs: 'zone',
  },
  {
    name: 'jobMmjob: the running job can be asked about itself',
    phases: [map('mjob inputs $MANTA_JOB_ID')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['/%user%/stor/obj1\n'],
    limitSeconds: 30,
  },
  {
    name: 'jobMkill: a task ends with its main command',
    phases: [map('sleep 86400 &')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    limitSeconds: 15,
  },
  {
    name: 'jobMinit: init runs once per zone and phase',
    phases: [map('wc < /var/tmp/test_temp', { init: 'echo >> /var/tmp/test_temp' })],
    inputs: obj(1, 2, 3, 4, 5, 6, 7, 8, 9),
    outputs: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => out(`obj${number}`, 0)),
    contents: Array.from({ length: 9 }, () => '1 0 1\n'),
    limitSeconds: 60,
    needs: 'zone',
  },
  {
    name: 'jobMinitFail',
    phases: [map('wc', { init: 'false' })],
    inputs: obj(1),
    errors: [{ code: 'TaskInitError', message: 'user command exited with code 1' }],
    limitSeconds: 60,
  },
  {
    name: 'jobMerrorCmd',
    phases: [map('grep professor_frink')],
    inputs: obj(1),
    errors: [
      {
        code: 'UserTaskError',
        message: 'user command exited with code 1',
        what: 'phase 0: input "/%user%/stor/obj1"',
        p0input: '/%user%/stor/obj1',
      },
    ],
    limitSeconds: 20,
  },
  {
    name: 'a command that a signal ends',
    phases: [map('kill -TERM $$')],
    inputs: obj(1),
    errors: [{ code: 'UserTaskError', message: 'user command terminated by SIGTERM' }],
    limitSeconds: 20,
  },
  {
    name: 'a reducer that fails before all its inputs are known',
    phases: [map('wc'), reduce('exit 3')],
    inputs: obj(1, 2, 3),
    errors: [
      { phase: '1', what: 'phase 1: reduce', code: 'UserTaskError', message: 'user command exited with code 3' },
    ],
    limitSeconds: 30,
  },
  {
    name: 'a reducer that ends before it has read its input',
    phases: [map('wc'), reduce('head -1 > /dev/null; echo enough')],
    inputs: obj(1, 2, 3),
    outputs: [red(1)],
    contents: ['enough\n'],
    limitSeconds: 30,
  },
  {
    name: 'jobMerrorAssetMissing',
    phases: [map('echo "should not ever get here"', { assets: ['/%user%/stor/notavalidasset'] })],
    inputs: obj(1),
    errors: [
      {
        code: 'TaskInitError',
        message:
          'failed to dispatch task: first of 1 error: error retrieving asset "/%user%/stor/notavalidasset" (status code 404)',
      },
    ],
    limitSeconds: 15,
  },
  {
    name: 'jobMerrorsDispatch0: bad inputs are reported exactly as submitted',
    phases: [map('wc')],
    inputs: [...obj(1), '/%user%/stor/mydir'],
    extraInputs: [
      '/notavalidusername/stor/obj1',
      '/%user%/stor/notavalidfilename',
      '/',
      '/%user%',
      '/%user%/',
      '/%user%/stor',
      '/%user%/stor/',
      '/%user%/jobs',
      '/%user%/jobs/',
    ],
    outputs: [out('obj1', 0)],
    contents: [' 0  5 50\n'],
    errors: [
      ...[
        '/notavalidusername/stor/obj1',
        '/%user%/stor/notavalidfilename',
        '/%user%/',
        '/%user%/stor',
        '/%user%/stor/',
        '/%user%/jobs',
        '/%user%/jobs/',
      ].map((name) => ({ code: 'ResourceNotFoundError', message: `no such object: "${name}"`, input: name })),
      ...['/', '/%user%'].map((name) => ({
        code: 'ResourceNotFoundError',
        message: `malformed object name: "${name}"`,
        input: name,
      })),
      { code: 'InvalidArgumentError', message: 'objects of type "directory" are not supported: "/%user%/stor/mydir"' },
    ],
    limitSeconds: 20,
  },
  {
    name: 'jobMerrorMuskie: saving stdout is the system’s job, not the user’s',
    phases: [map(`${control}/perturb?p=1`)],
    inputs: obj(1),
    errors: [{ code: 'InternalError', message: 'internal error' }],
    limitSeconds: 20,
    needs: 'zone',
  },
  {
    name: 'jobMbackdoorCommit',
    phases: [map(`${control}/commit`)],
    inputs: obj(1),
    outputs: [],
    mayStay: /obj1\.0\./,
    limitSeconds: 20,
    needs: 'zone',
  },
  {
    name: 'jobMerrorBackdoorFail',
    phases: [map(`${control}/fail`)],
    inputs: obj(1),
    errors: [{ code: 'UserTaskError', message: 'no message given' }],
    limitSeconds: 20,
    needs: 'zone',
  },
  {
    name: 'jobMerrorLackeyCrash',
    phases: [map('kill -9 $(cat /var/run/marlin-lackey.pid); sleep 60')],
    inputs: obj(1),
    errors: [{ code: 'InternalError', message: 'internal error', what: 'phase 0: input "/%user%/stor/obj1"' }],
    limitSeconds: 30,
    needs: 'zone',
  },
  {
    name: 'jobMcore',
    phases: [map('node -e "process.abort();"')],
    inputs: obj(1),
    errors: [
      { code: 'UserTaskError', message: dumpedCore, core: /\/jobs\/.*\/stor\/cores\/0\/core\.node\.[0-9a-f-]{36}$/ },
    ],
    limitSeconds: 60,
    needs: 'accounting',
  },
  {
    name: 'jobMcoreLimit: a core that may not be written counts, and ends what the shell would go on with',
    phases: [map('ulimit -c 0; node -e "process.abort()"; sleep 3600')],
    inputs: obj(1),
    errors: [{ code: 'UserTaskError', message: dumpedCore, core: /^undefined$/ }],
    limitSeconds: 60,
    needs: 'accounting',
  },
  {
    name: 'jobMcoreDaemon: of a process that left, in another directory, with a title and dots in its name',
    phases: [
      map(
        `mkdir /var/tmp/deep; cp $(command -v perl) /var/tmp/my.prog.2
(cd /var/tmp/deep; setsid /var/tmp/my.prog.2 -e '$0 = "title"; sleep 1; kill SEGV => $$' &)
sleep 3600`,
      ),
    ],
    inputs: obj(1),
    errors: [{ code: 'UserTaskError', message: dumpedCore, core: /\/cores\/0\/core\.my\.prog\.2\.[0-9a-f-]{36}$/ }],
    limitSeconds: 60,
    needs: 'accounting',
  },
  {
    name: 'jobMcoreInit',
    phases: [map('echo never', { init: 'cat < /dev/null; perl -e "kill ABRT => \\$\\$"; exit 0' })],
    inputs: obj(1),
    errors: [{ code: 'TaskInitError', message: dumpedCore, core: /\/cores\/0\/core\.perl\.[0-9a-f-]{36}$/ }],
    limitSeconds: 60,
    needs: 'accounting',
  },
  {
    name: 'jobMcoreShielded: below ctrun a core ends nothing',
    phases: [map(`ctrun -i core -l child bash -c '(kill -SEGV $BASHPID); (kill -ABRT $BASHPID); sleep 0.2'; echo on`)],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['on\n'],
    limitSeconds: 60,
    needs: 'accounting',
  },
  {
    name: 'jobMcancel',
    phases: [map('wc && sleep 3600')],
    inputs: obj(1, 2, 3),
    cancelWhenRunning: true,
    errors: obj(1, 2, 3).map((name) => ({ code: 'JobCancelledError', message: 'job was cancelled', input: name })),
    limitSeconds: 30,
  },
];
