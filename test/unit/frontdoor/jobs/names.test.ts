import fc from 'fast-check';
import t from 'tap';
import { namesIn } from '../../../../src/frontdoor/jobs/names.js';

async function read(chunks: readonly Buffer[]): Promise<string[]> {
  const names: string[] = [];
  async function* body() {
    yield* chunks;
  }
  for await (const name of namesIn(body())) names.push(name);
  return names;
}

t.test('every kind of line end separates names', async (t) => {
  t.same(await read([Buffer.from('a\nb\r\nc\rd\n\n\r\ne')]), ['a', 'b', 'c', 'd', 'e']);
  t.same(await read([]), []);
});

t.test('a name that no object can have is refused, a line without an end before all of it has come', async (t) => {
  t.equal((await read([Buffer.from('a\n'), Buffer.alloc(16_384, 'y')])).length, 2);
  let readBytes = 0;
  async function* oneLine() {
    for (let chunk = 0; chunk < 100; chunk++) {
      readBytes += 10_000;
      yield Buffer.alloc(10_000, 'y');
    }
  }
  const names = namesIn(oneLine());
  await t.rejects(names.next(), { message: 'names of inputs cannot be longer than 16384 characters' });
  t.equal(readBytes, 20_000);
});

t.test('however the body is cut, the names are the same', async () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n]/.test(text));
  const cut = fc.integer({ min: 1, max: 9 });
  const property = fc.asyncProperty(fc.array(name), cut, async (names, size) => {
    const bytes = Buffer.from(names.join('\r\n'));
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    return JSON.stringify(await read(chunks)) === JSON.stringify(names);
  });
  await fc.assert(property);
});
