/** Lines of a byte stream: ended by LF, CRLF or a lone CR, decoded as UTF-8; the last one needs no end. */
export async function* readLines(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let rest = '';
  for await (const chunk of input) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be the first half of CRLF: it waits for what follows.
    const whole = /\r$/.test(rest) ? rest.slice(0, -1) : rest;
    const lines = whole.split(/\r\n|\n|\r/);
    const last = lines.pop() ?? '';
    rest = last + rest.slice(whole.length);
    yield* lines;
  }
  rest += decoder.decode();
  if (rest === '') return;
  const lines = rest.split(/\r\n|\n|\r/);
  if (lines.at(-1) === '') lines.pop();
  yield* lines;
}
