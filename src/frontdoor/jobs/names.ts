/**
 * Names of inputs, as they arrive: one per line, lines ended by `\n`, `\r\n` or `\r`, the last one perhaps not at all,
 * empty ones without meaning. Read as they come: a list may have millions. A name that no object can have is refused as
 * soon as that is known, so that a line that never ends is not gathered: its records would stop whoever reads them.
 */
import { StringDecoder } from 'node:string_decoder';
import { httpError } from '../../http/errors.js';
import { inputNameLimit } from '../../records/limits.js';

/** @throws where a name is too long or contains NUL, which the store cannot index; the names before it count. */
export async function* namesIn(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8'); // a character may be cut by the end of a chunk
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.write(chunk)).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield storable(line);
    assertLength(rest);
  }
  rest += decoder.end();
  if (rest !== '') yield storable(rest);
}

function storable(name: string): string {
  assertLength(name);
  if (name.includes('\0')) throw httpError('InvalidArgumentError', 'names of inputs cannot contain NUL');
  return name;
}

function assertLength(name: string): void {
  if (name.length <= inputNameLimit) return;
  throw httpError('InvalidArgumentError', `names of inputs cannot be longer than ${inputNameLimit} characters`);
}
