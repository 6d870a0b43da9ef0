/** What README and the guides tell people to type, typed. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { type OneBox, startOneBox } from '../support/one-box.js';

const text = (file: string) => fs.readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

/** Indented lines of a section, without what the test itself does: building, starting, setting the environment. */
function commandsOf(file: string, section: string): readonly string[] {
  const [, body = ''] = text(file).split(`\n## ${section}\n`);
  const lines = (body.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('    '));
  return lines
    .map((line) => line.slice(4).replace(/ +#.*$/, ''))
    .filter((line) => !/^(make|\. dev\/env\.sh|marlin up|eval )/.test(line));
}

t.test('the tour of README, and the guide for users', async (t) => {
  const box = await startOneBox(t);
  const tour = await typeAll(t, box, commandsOf('README.md', 'Three minutes'));
  t.match(tour, /\nlicense\n/);
  t.match(tour, /cannot access '\/nothing\/here'/, 'the standard error of the failed command');
  t.match(tour, /Phase 0 map/);

  const sections = ['A tour', 'When a command fails', 'Jobs you have'];
  const guide = await typeAll(
    t,
    box,
    sections.flatMap((section) => commandsOf('docs/guide.md', section)),
  );
  t.match(guide, /^\d+ ajv\.tgz\n(\d+ \w+\.tgz\n){4}\+ step/m, 'lines of code');
  t.match(guide, /^( +\d+ [a-zA-Z]+\n){5}\+ step/m, 'words');
  t.match(guide, /^( ?\d+\.\d % \w+\.tgz\n){5}\+ step/m, 'comments');
  t.match(guide, /\najv\/\n/, 'the listing that everybody can read');
  t.match(guide, /\nUserTaskError\nuser command exited with code 2\n/);
  t.match(guide, /no\/such\/file: Not found in archive/);

  const story = await typeAll(t, box, commandsOf('docs/guide.md', 'From a look to an index for everybody'));
  const directory = `/${box.login}/public/pkgsrc`;
  t.match(story, '+ step\najv.tgz\nbunyan.tgz\nmoray.tgz\n');
  t.match(story, `+ step\n${directory}/ajv.tgz\n`);
  t.match(story, /\+ step\n\d{5,}\n\+ step/, 'size of a package');
  t.match(story, '\n0\nUserTaskError\nuser command exited with code 127\n');
  t.match(story, /pkg_info: command not found\n/);
  t.match(story, `+ step\n${directory}/pkg_summary.gz\n+ step\n`, 'the one output');
  t.match(story, /\+ step\najv \d\S* MIT\nbunyan \d\S* MIT\nmoray \d\S* \S+\n$/, 'the index, read by anybody');

  const session = box.onTerminal(`mlogin ${directory}/ajv.tgz`);
  await session.until(/@manta # /);
  session.type('tar -tzf $MANTA_INPUT_FILE | head -3\r');
  await session.until(/\najv\/\najv\/\S+\n/);
  session.type('exit\r');
  t.equal(await session.ended, 0, session.shown());
});

/** @returns what they print, each after a line "+ step". */
async function typeAll(t: Test, box: OneBox, commands: readonly string[]): Promise<string> {
  t.ok(commands.length >= 8, `${commands.length} commands`);
  // One shell, as for a reader: later commands use variables of earlier ones.
  const script = commands.map((command) => `echo "+ step"; ${command} || { echo "failed: $?"; exit 1; }`).join('\n');
  const { status, stdout, stderr } = await box.run(script);
  t.equal(status, 0, `${stdout}\n${stderr}`);
  t.equal(stdout.split('+ step\n').length - 1, commands.length);
  return stdout;
}

t.test('the commands of the operators guide that look', async (t) => {
  const box = await startOneBox(t, { driver: 'process', zones: 2 });
  await box.put('~~/stor/a', 'a\n');
  const job = (await box.run('echo ~~/stor/a | mjob create -w -m "cat; false"')).stdout.trim().split('\n').at(-1) ?? '';
  const task = (await box.run(`mrjob get --json ${job} | json task.0.key`)).stdout.trim();
  const accounts = (await box.run(`marlin account list --json --data ${box.data}`)).stdout.trim().split('\n');
  const { uuid } = accounts.map((line) => JSON.parse(line)).find(({ login }) => login === box.login);
  const names: Readonly<Record<string, string>> = {
    '/var/lib/marlin/data': box.data,
    '8090': new URL(box.ready().supervisor.url).port,
    CONFIG: `${box.data}/etc/supervisor.json`,
    KEY: `/${uuid}/stor/a`,
    JOB: job,
    TASK: task,
    FILE: `${box.data}/run/page.html`,
    LOG: `${box.data}/log/agent.log`,
  };
  const env = { TMPDIR: t.testdir() };
  const filled = (command: string) =>
    Object.entries(names).reduce(
      (line, [name, value]) => line.replace(new RegExp(`(?<![A-Z])${name}(?![A-Z])`), value),
      command,
    );
  for (const command of commandsOf('docs/operating.md', 'Look')) {
    const { status, stderr } = await box.run(filled(command), { env });
    const isBad = command.startsWith('mrjob watch') ? 3 : 0; // the job ended with an error
    t.equal(status, isBad, `${command}: ${stderr}`);
  }
  t.ok(fs.existsSync(`${box.data}/run/page.html`));
});
