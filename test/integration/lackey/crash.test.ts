import { once } from 'node:events';
import path from 'node:path';
import t from 'tap';
import type { TaskDescription } from '../../../src/taskapi/types.js';
import { type FakeAgent, mapTask, startFakeAgent, startLackey, text, verdict } from '../../support/lackey.js';

function withInit(agent: FakeAgent, init: string, exec: string): TaskDescription {
  return mapTask(agent, exec, { taskPhase: { type: 'map', init, exec } });
}

const pidFile = ({ root }: { readonly root: string }) => path.join(root, 'var/run/marlin-lackey.pid');

t.test('init runs once per zone, knows no input, and its output goes nowhere', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const file = path.join(agent.directory, 'init');
  const init = `echo out; echo err >&2; echo "$MANTA_INPUT_OBJECT/$MANTA_USER" >> ${file}`;
  for (const _ of [1, 2, 3]) {
    const report = await agent.run(withInit(agent, init, `cat ${file}; exit 3`));
    t.equal(text(report.stdout), '/bob\n');
    t.equal(text(report.stderr), '');
  }
});

t.test('an init script that fails is the error of the task, which does not run', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const report = await agent.run(withInit(agent, 'echo why >&2; false', 'echo ran'));
  t.equal(verdict(report), 'TaskInitError: user command exited with code 1');
  t.equal(report.stdout, undefined);
  t.equal(text(report.stderr), 'why\n');
});

t.test('an init script may tidy up the scratch directory', async (t) => {
  const agent = await startFakeAgent(t);
  const first = startLackey(t, agent);
  const file = path.join(agent.directory, 'init');
  const init = `echo >> ${file}; rm -rf ${first.root}/var/tmp`;
  t.equal(text((await agent.run(withInit(agent, init, `wc -l < ${file}`))).stdout), '1\n');
  first.process.kill('SIGKILL');
  await once(first.process, 'exit');
  startLackey(t, agent, first.root);
  t.equal(text((await agent.run(withInit(agent, init, `wc -l < ${file}`))).stdout), '1\n');
});

t.test('what init emits is an output of the task that it ran for, instead of its stdout', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const init = 'stat -L -c %F /dev/stdin > $0.$$; mpipe < $0.$$; rm $0.$$'.replaceAll(
    '$0',
    path.join(agent.directory, 'f'),
  );
  const first = await agent.run(withInit(agent, init, 'echo out'));
  t.equal(verdict(first), 'commit');
  t.equal(first.stdout, undefined);
  t.same(
    [...agent.objects.values()].map(({ body }) => body),
    ['character special file\n'],
  );
  t.equal(text((await agent.run(withInit(agent, init, 'echo out'))).stdout), 'out\n');
});

t.test('a task that has cost a lackey is not run again', async (t) => {
  const agent = await startFakeAgent(t);
  const first = startLackey(t, agent);
  const task = mapTask(agent, `kill -9 $(cat ${pidFile(first)}); sleep 100`);
  const report = agent.run(task);
  await once(first.process, 'exit');
  agent.handOut(task);
  startLackey(t, agent, first.root);
  t.equal(verdict(await report), 'InternalError: lackey crashed');
  t.equal(text((await agent.run(mapTask(agent, 'echo next'))).stdout), 'next\n');
});

t.test('a zone whose init did not end is of no use until it is reset', async (t) => {
  const agent = await startFakeAgent(t);
  const first = startLackey(t, agent);
  const task = withInit(agent, `kill -9 $(cat ${pidFile(first)}); sleep 100`, 'echo ran');
  const report = agent.run(task);
  await once(first.process, 'exit');
  agent.handOut(task);
  startLackey(t, agent, first.root);
  t.equal(verdict(await report), 'InternalError: lackey crashed during zone init');
  const another = await agent.run(mapTask(agent, 'echo next'));
  t.equal(verdict(another), 'InternalError: lackey crashed during zone init');
});

t.test('an init script that ended well is not repeated by the next lackey', async (t) => {
  const agent = await startFakeAgent(t);
  const first = startLackey(t, agent);
  const file = path.join(agent.directory, 'init');
  await agent.run(withInit(agent, `echo >> ${file}`, 'true'));
  first.process.kill('SIGKILL');
  await once(first.process, 'exit');
  startLackey(t, agent, first.root);
  const report = await agent.run(withInit(agent, `echo >> ${file}`, `wc -l < ${file}`));
  t.equal(text(report.stdout), '1\n');
});

t.test('the lackey’s process id is where user code can find it', async (t) => {
  const agent = await startFakeAgent(t);
  const lackey = startLackey(t, agent);
  const report = await agent.run(mapTask(agent, `cat ${pidFile(lackey)}`));
  t.equal(text(report.stdout), `${lackey.process.pid}\n`);
});

t.test('a launcher that is killed costs its task; the next one gets another', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  t.match(verdict(await agent.run(mapTask(agent, 'kill -9 $PPID; sleep 100'))), 'InternalError: ');
  t.equal(text((await agent.run(mapTask(agent, 'echo next'))).stdout), 'next\n');
  t.equal(
    verdict(await agent.run(mapTask(agent, 'kill -TERM $$'))),
    'UserTaskError: user command terminated by SIGTERM',
  );
});
