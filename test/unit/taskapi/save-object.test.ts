import t from 'tap';
import { type PutAnswer, parseErrorBody, saveObject } from '../../../src/taskapi/save-object.js';

/** A store in which `/b/s` exists and nothing below. */
function store() {
  const directories = new Set(['/b/s']);
  const sent: string[] = [];
  const put = async (name: string, what: 'object' | 'directory'): Promise<PutAnswer> => {
    sent.push(`${what} ${name}`);
    const parent = name.slice(0, name.lastIndexOf('/'));
    if (!directories.has(parent)) return { status: 404, code: 'DirectoryDoesNotExist', message: `no ${parent}` };
    if (what === 'directory') directories.add(name);
    return { status: 204 };
  };
  return { put, sent };
}

t.test('missing parents are made, bottom up, without waiting', async (t) => {
  const { put, sent } = store();
  await saveObject('/b/s/1/2/x', { put, pause: () => t.fail('waited') as never });
  t.same(sent, [
    'object /b/s/1/2/x',
    'directory /b/s/1/2',
    'directory /b/s/1',
    'directory /b/s/1/2',
    'object /b/s/1/2/x',
  ]);
});

t.test('any other error is tried three times, one and two seconds apart', async (t) => {
  const pauses: number[] = [];
  const pause = async (ms: number) => pauses.push(ms);
  const { put, sent } = store();
  await t.rejects(saveObject('/b/s/1/x', { put, pause, makeParents: false }), { message: 'no /b/s/1' });
  t.equal(sent.length, 3);
  t.same(pauses, [1000, 2000]);
});

t.test('a service that is started again may be away for longer', async (t) => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  for (const away of [async () => ({ status: 503, message: 'away' }), () => Promise.reject(refused)]) {
    const pauses: number[] = [];
    const pause = async (ms: number) => pauses.push(ms);
    await t.rejects(saveObject('/b/s/x', { put: away, pause, waitsForService: true }), {
      message: /^away$|ECONNREFUSED/,
    });
    t.same(pauses.slice(0, 4), [1000, 2000, 4000, 8000]);
    const triedMs = pauses.reduce((sum, ms) => sum + ms, 0);
    t.ok(triedMs >= 180_000 && triedMs <= 300_000, `for ${triedMs} ms: longer than an outage, not for ever`);
    const answers = [away, away, away, async () => ({ status: 204 })];
    await saveObject('/b/s/x', { put: async () => (answers.shift() as typeof away)(), pause, waitsForService: true });
    t.equal(answers.length, 0, 'it is saved after all');
  }
});

t.test('an error body that is no JSON is no error of ours', async (t) => {
  t.same(parseErrorBody(500, '<html>'), { status: 500 });
  t.same(parseErrorBody(404, '{"code":"X","message":"y"}'), { status: 404, code: 'X', message: 'y' });
});
