/** What msplit is asked to do. Source: spec 06 §5.4. */
import { wholeNumber } from '../../common/whole-number.js';
import { parseShortOptions } from '../objects/short-options.js';
import type { KeyOptions } from './keys.js';

export const usage = `usage: msplit [-n number_of_reducers] [-d delimiter] [-f field_list]
              [-i] [-j] [-e javascript] [-z]

Split lines of stdin among the reducers of the next phase, by a key.
`;

export interface MsplitOptions extends KeyOptions {
  readonly gzip: boolean;
  readonly outputBase: string;
  readonly url: string;
}

/** @returns the message of a usage error instead, when there is one. */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): MsplitOptions | string {
  const { options, problem } = parseShortOptions('d:e:f:ijn:z', args);
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`);
    return 'undefined'; // the original's word
  }
  const values = (letter: string) => options.filter((option) => option.letter === letter).map(({ value }) => value);
  const has = (letter: string) => values(letter).length > 0;
  const json = has('j');
  const expression = values('e').at(-1);
  const fields = values('f').flatMap((list) => list.split(','));
  const delimiter = values('d').at(-1) ?? '\t';
  const count = values('n').at(-1);
  const reducerCount = wholeNumber(count ?? '0');
  const outputBase = env['MANTA_OUTPUT_BASE'];

  if (Number.isNaN(reducerCount) || reducerCount < 0) return 'invalid number of reducers';
  if (reducerCount === 0) return 'number of reducers must be specified.';
  if (delimiter.includes('\n')) return 'cannot use newline as a delimiter.';
  const notColumn = fields.map(wholeNumber).find((column) => !(column > 0));
  if (!json && notColumn !== undefined) return `invalid field: ${notColumn}`;
  if (json && fields.length === 0 && expression === undefined) return 'no fields specified';
  if (outputBase === undefined || outputBase === '') return 'MANTA_OUTPUT_BASE not set';
  return {
    delimiter,
    fields: fields.length > 0 ? fields : ['1'],
    json,
    expression,
    keyIsReducer: has('i'),
    reducerCount,
    gzip: has('z'),
    outputBase,
    url: env['MANTA_URL'] ?? 'http://localhost:80/',
  };
}
