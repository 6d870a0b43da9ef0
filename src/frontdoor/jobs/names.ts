/**
 * Names of inputs, as they arrive: one per line, lines ended by `\n`, `\r\n` or `\r`, the last one perhaps not at all,
 * empty ones without meaning. Read as they come: a list may have millions.
 */
import { StringDecoder } from 'node:string_decoder';

export async function* namesIn(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8'); // a character may be cut by the end of a chunk
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.write(chunk)).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  rest += decoder.end();
  if (rest !== '') yield rest;
}
