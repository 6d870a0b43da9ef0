/**
 * Names at the limits: 255 bytes a component in a zone, 1,024 a name. What is longer is mapped under a shorter name, and
 * the object keeps its own.
 */
import { type JobCase, map } from './job-case.js';

const long255 = `${'12345678901234567890'.repeat(12)}123456789012345`;
const long256 = `${long255}6`;
const dir255 = `${long255.slice(0, 252)}dir`;
const dir256 = `${long256.slice(0, 253)}dir`;
const cut = (component: string) => `${component.slice(0, 251)}_...`;

/** Below /%user%/stor: the object, and its file below /manta/%user%/stor where the two differ. */
const names: readonly (readonly [object: string, file?: string])[] = [
  [`${dir255}/foo`],
  [`dir/${long255}`],
  [`${dir256}/foo`, `${cut(dir256)}/foo`],
  [`dir/${long256}`, `dir/${cut(long256)}`],
  [`${dir255}/${dir255}/${long255}`],
  [`${dir256}/${dir255}/${long255}`, `${cut(dir256)}/${dir255}/${long255}`],
  [`foodir/bardir/${`${dir255}/`.repeat(5)}bazdir/bop`, 'foodir/_.../bazdir/bop'],
];

export const nameCases: readonly JobCase[] = [
  {
    name: 'jobMlongInputs: only the file is shortened, never the name of the object',
    phases: [map('(env | grep MANTA_INPUT_) && ls $MANTA_INPUT_FILE && wc -w')],
    inputs: names.map(([object]) => `/%user%/stor/${object}`),
    outputs: names.map(([object]) => new RegExp(`/jobs/%job%/stor/%user%/stor/${object}`)),
    contents: names.map(([object, file = object]) =>
      [`MANTA_INPUT_FILE=/manta/%user%/stor/${file}`, `MANTA_INPUT_OBJECT=/%user%/stor/${object}`]
        .concat([`/manta/%user%/stor/${file}`, '5', ''])
        .join('\n'),
    ),
    limitSeconds: 60,
    needs: 'zone',
  },
  {
    name: 'jobMerrorLongInputs: the error says so',
    phases: [map('false')],
    inputs: names.slice(6).map(([object]) => `/%user%/stor/${object}`),
    errors: [
      {
        code: 'UserTaskError',
        message:
          'user command exited with code 1 (WARNING: input file was mapped at an unusual location because the object name was too long)',
      },
    ],
    limitSeconds: 60,
    needs: 'zone',
  },
];
