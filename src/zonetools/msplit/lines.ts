/** Lines of a byte stream: ended by LF, CRLF or a lone CR, decoded as UTF-8; the last one needs no end. */
export async function* readLines(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let begun = ''; // of a line: was looked through, and is not looked through again however long the line becomes
  let carriage = ''; // a CR at the end of what came may be the first half of CRLF: it waits for what follows
  function* split(text: string): Generator<string> {
    const lines = text.split(/\r\n|\n|\r/);
    lines[0] = begun + (lines[0] ?? '');
    begun = lines.pop() ?? '';
    yield* lines;
  }
  for await (const chunk of input) {
    const text = carriage + decoder.decode(chunk, { stream: true });
    carriage = text.endsWith('\r') ? '\r' : '';
    yield* split(text.slice(0, text.length - carriage.length));
  }
  yield* split(carriage + decoder.decode());
  if (begun !== '') yield begun;
}
