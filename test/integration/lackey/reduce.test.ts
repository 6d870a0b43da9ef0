import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { TaskDescription } from '../../../src/taskapi/types.js';
import {
  answer,
  type FakeAgent,
  mapTask,
  reduceTask,
  startFakeAgent,
  startLackey,
  text,
  verdict,
} from '../../support/lackey.js';

function put(agent: FakeAgent, name: string, body: string): string {
  agent.objects.set(name, { body, headers: {} });
  return name;
}

/** Hands out the task, one batch after the other, then the end of input. */
function runBatches(agent: FakeAgent, exec: string, batches: readonly (readonly string[])[]) {
  const task = reduceTask(exec, batches[0] ?? []);
  const report = agent.run(task);
  for (const taskInputKeys of batches.slice(1)) agent.handOut({ ...task, taskInputKeys });
  agent.handOut({ ...task, taskInputKeys: [], taskInputDone: true });
  return report;
}

t.test('a reducer reads its inputs in order, batch after batch, each acknowledged', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const names = Array.from({ length: 25 }, (_, n) => put(agent, `/bob/stor/in ${n}`, `${n}\n`.repeat(n * 1000)));
  const expected = names.map((name) => agent.objects.get(name)?.body).join('');
  const batches = [names.slice(0, 10), names.slice(10, 20), names.slice(20)];
  const report = await runBatches(agent, 'md5sum | cut -c1-32; echo $MANTA_REDUCER $MANTA_INPUT_OBJECT', batches);
  t.equal(text(report.stdout), `${createHash('md5').update(expected).digest('hex')}\n0\n`);
  t.equal(verdict(report), 'commit');
  t.equal(report.key, undefined);
  t.same(
    agent.acknowledged.map(({ key, nkeys }) => [key, nkeys]),
    [
      ['/bob/stor/in 0', 10],
      ['/bob/stor/in 10', 10],
      ['/bob/stor/in 20', 5],
    ],
  );
});

t.test('a reducer without inputs runs once, on a pipe that can be opened by name', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const none = await agent.run(reduceTask('wc', [], true));
  t.equal(text(none.stdout), '      0       0       0\n');
  const kind = await agent.run(reduceTask('stat -L -c %F /dev/stdin', [], true));
  t.equal(text(kind.stdout), 'fifo\n');
  const name = put(agent, '/bob/stor/a', 'text');
  const opened = await agent.run(reduceTask('cat /dev/stdin', [name], true));
  t.equal(text(opened.stdout), 'text');
  // By then all has been written, and the writer is gone.
  const late = await agent.run(reduceTask('sleep 0.5; cat /dev/stdin', [name], true));
  t.equal(text(late.stdout), 'text');
  const nothing = await agent.run(reduceTask('sleep 0.5; cat /dev/stdin', [], true));
  t.equal(text(nothing.stdout), '');
});

t.test('a reducer may stop reading early, and whatever was asked meanwhile is forgotten', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const big = put(agent, '/bob/stor/big', 'line\n'.repeat(500_000));
  const enough = await agent.run(reduceTask('head -1', [big, big, big]));
  t.equal(text(enough.stdout), 'line\n');
  t.equal(verdict(enough), 'commit');
  const waiting = await agent.run(reduceTask('exit 3', []));
  t.match(verdict(waiting), /exited with code 3$/);
  const closed = await agent.run(reduceTask('exec < /dev/null; sleep 0.1; echo done', [big]));
  t.equal(text(closed.stdout), 'done\n');
  t.equal(text((await agent.run(mapTask(agent, 'echo next'))).stdout), 'next\n');
});

t.test('a stumbling server, a cut body and a changed object', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const body = 'abcdefghij'.repeat(50_000);
  const name = put(agent, '/bob/stor/cut', body);
  const ranges: (string | undefined)[] = [];
  let etag = '"1"';
  let stumbles = 1;
  agent.intercept = (request, response) => {
    if (request.url !== '/bob/stor/cut') return false;
    ranges.push(request.headers.range);
    if (stumbles-- > 0) {
      answer(response, 503, { code: 'ServiceUnavailableError', message: 'busy' });
      return true;
    }
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? 'bytes=0-')?.[1]);
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': body.length - start, etag });
    // 200,000 bytes at most, then the connection ends
    response.write(body.slice(start, start + 200_000));
    if (start + 200_000 < body.length) response.socket?.end();
    else response.end();
    return true;
  };
  const whole = await agent.run(reduceTask('md5sum | cut -c1-32', [name], true));
  t.equal(verdict(whole), 'commit');
  t.equal(text(whole.stdout), `${createHash('md5').update(body).digest('hex')}\n`);
  t.same(ranges.slice(0, 2), [undefined, undefined], 'tried again from the start');
  t.match(ranges[2], /^bytes=\d+-$/);

  stumbles = 0;
  const intercept = agent.intercept;
  agent.intercept = (request, response) => {
    const done = intercept(request, response);
    if (done) etag = '"2"';
    return done;
  };
  const changed = await agent.run(reduceTask('cat > /dev/null; sleep 100', [name], true));
  t.equal(
    verdict(changed),
    'ServiceUnavailableError: error fetching inputs: "/bob/stor/cut": etag changed while the object was read',
  );
});

t.test('an input that is refused kills the command at once', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const report = await agent.run(reduceTask('cat; sleep 100', ['/bob/stor/absent']));
  t.equal(verdict(report), 'ServiceUnavailableError: error fetching inputs: /bob/stor/absent not found');
});

t.test('a task that the agent takes back is dropped, with its processes, for the next', async (t) => {
  const agent = await startFakeAgent(t);
  const lackey = startLackey(t, agent);
  const started = path.join(agent.directory, 'started');
  const task: TaskDescription = reduceTask(`echo $$ > ${started}.new; mv ${started}.new ${started}; cat`, []);
  void agent.run(task);
  const watcher = fs.watch(agent.directory);
  while (!fs.existsSync(started)) await once(watcher, 'change');
  watcher.close();
  const next = await agent.run(mapTask(agent, 'echo next'));
  t.equal(text(next.stdout), 'next\n');
  t.notOk(fs.existsSync(`/proc/${fs.readFileSync(started, 'utf8').trim()}/stat`));
  t.equal(lackey.process.exitCode, null);
});
