/** Cases about what a zone has, what runs out, and faults that are injected from inside. */
import os from 'node:os';
import { control, type JobCase, map, obj, out, reduce } from './job-case.js';

/** Takes memory until none is left. Where the kernel ends it instead of refusing, it prints nothing. */
const mallocbomb = `#!/usr/bin/perl
my @blocks;
push @blocks, 'x' x 4096 while 1;
`;

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** From here on a fifth of the memory, which is what an agent gives beyond the default, holds the largest size. */
const hugeMemoryBytes = 5 * 7168 * 1024 * 1024;
const memoryTooBig: JobCase = {
  name: 'jobMerrorMemoryTooBig',
  phases: [map('prtconf | grep -i memory', { memory: 8192 })],
  inputs: obj(1),
  errors: [{ code: 'TaskInitError', message: 'failed to dispatch task: not enough memory available' }],
  limitSeconds: 15,
  belowFrontDoor: true,
};

export const zoneCases: readonly JobCase[] = [
  {
    name: 'jobMX8: eight outputs per task',
    phases: [map('cat > /var/tmp/tmpfile; for i in 1 2 3 4 5 6 7 8; do     wc < /var/tmp/tmpfile | mpipe; done', {})],
    inputs: obj(1, 2, 3),
    outputs: [1, 2, 3].flatMap((number) => range(8).map(() => out(`obj${number}`, 0))),
    limitSeconds: 60,
    needs: 'zone',
  },
  {
    name: 'jobM500',
    phases: [map('wc')],
    inputs: obj(...range(500)),
    outputs: range(500).map((number) => out(`obj${number}`, 0)),
    limitSeconds: 90,
    alone: true,
  },
  {
    name: 'jobMtmpfs: /tmp is on the root file system, not in memory',
    phases: [
      map(
        `set -o pipefail; set -o errexit; df /tmp | awk 'NR == 2{ print $NF }'; mount | awk '$3 == "swap"{ print $1 }' | grep ^/tmp || echo "okay"`,
      ),
    ],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: ['/\nokay\n'],
    limitSeconds: 30,
    needs: 'accounting',
  },
  {
    name: 'jobMdiskDefault',
    phases: [map("df --block-size=M / | awk '{print $4}' | tail -1")],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    contents: [/^81\d\dM\n$/],
    limitSeconds: 15,
    needs: 'accounting',
  },
  {
    name: 'jobRerrorReboot: a zone cannot be halted or rebooted from inside',
    // The system calls behind shutdown: halt, power off, restart.
    phases: [
      reduce(
        'for how in 0xcdef0123 0x4321fedc 0x1234567; do perl -e "exit(syscall(169, 0xfee1dead, 672274793, $how) == -1 ? 1 : 0)" && exit 0; done; exit 1',
      ),
    ],
    inputs: obj(1),
    errors: [{ code: 'UserTaskError', message: 'user command exited with code 1', what: 'phase 0: reduce' }],
    limitSeconds: 15,
    needs: 'zone',
  },
  {
    name: 'jobMerrorBadImage',
    phases: [map('wc', { image: '0.0.1' })],
    inputs: obj(1),
    errors: [
      {
        code: 'InvalidArgumentError',
        message: 'failed to dispatch task: requested image is not available',
        input: '/%user%/stor/obj1',
      },
    ],
    limitSeconds: 20,
    belowFrontDoor: true,
  },
  ...(os.totalmem() < hugeMemoryBytes ? [memoryTooBig] : []),
  {
    name: 'jobMerrorOom',
    phases: [reduce('/assets/%user%/stor/mallocbomb; false', { assets: ['/%user%/stor/mallocbomb'] })],
    objects: { '/%user%/stor/mallocbomb': mallocbomb },
    errors: [
      {
        code: 'UserTaskError',
        message: 'user command exited with code 1 (WARNING: ran out of memory during execution)',
        what: 'phase 0: reduce',
      },
    ],
    limitSeconds: 180,
    needs: 'accounting',
  },
  {
    name: 'jobMerrorDisk',
    phases: [reduce('head -c 3G /dev/zero > /var/tmp/junk', { disk: 2 })],
    errors: [{ code: 'UserTaskError', message: 'user task ran out of local disk space', what: 'phase 0: reduce' }],
    limitSeconds: 450,
    needs: 'accounting',
  },
  {
    name: 'jobMerrorMuskieRetry: saving is tried three times',
    phases: [map(`${control}/perturb?p=0.5`)],
    inputs: obj(...range(100)),
    errors: [{ code: 'InternalError', message: 'internal error' }],
    errorCount: [1, 25],
    limitSeconds: 360,
    needs: 'zone',
    alone: true,
  },
  {
    name: 'jobRerrorMuskieRetry',
    phases: [reduce('wc', { init: `${control}/perturb?p=1` })],
    inputs: obj(1),
    errors: [{ code: 'ServiceUnavailableError', message: /error fetching inputs/, what: 'phase 0: reduce' }],
    limitSeconds: 60,
    needs: 'zone',
  },
  {
    name: 'jobMmeterCheckpoints: a task is metered while it runs',
    phases: [map('sleep 7')],
    inputs: obj(1),
    outputs: [out('obj1', 0)],
    options: ['frequentCheckpoint'],
    limitSeconds: 30,
    belowFrontDoor: true,
  },
];
