/** What README and the operators' guide tell people to type, typed. */
import fs from 'node:fs';
import t from 'tap';
import { startOneBox } from '../support/one-box.js';

const text = (file: string) => fs.readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

/** Indented lines of a section, without what the test itself does: building, starting, setting the environment. */
function commandsOf(file: string, section: string): readonly string[] {
  const [, body = ''] = text(file).split(`\n## ${section}\n`);
  const lines = (body.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('    '));
  return lines
    .map((line) => line.slice(4).replace(/ +#.*$/, ''))
    .filter((line) => !/^(make|\. dev\/env\.sh|marlin up|eval )/.test(line));
}

t.test('the tour of README', async (t) => {
  const box = await startOneBox(t);
  const commands = commandsOf('README.md', 'Three minutes');
  t.ok(commands.length >= 8, `${commands.length} commands`);
  // One shell, as in the README: later commands use variables of earlier ones.
  const script = commands.map((command) => `echo "+ step"; ${command} || { echo "failed: $?"; exit 1; }`).join('\n');
  const { status, stdout, stderr } = await box.run(script);
  t.equal(status, 0, `${stdout}\n${stderr}`);
  t.equal(stdout.split('+ step\n').length - 1, commands.length);
  t.match(stdout, /\nlicense\n/);
  t.match(stdout, /cannot access '\/nothing\/here'/, 'the standard error of the failed command');
  t.match(stdout, /Phase 0 map/);
});

t.test('the commands of the operators guide that look', async (t) => {
  const box = await startOneBox(t, { driver: 'process', zones: 2 });
  await box.put('~~/stor/a', 'a\n');
  const job = (await box.run('echo ~~/stor/a | mjob create -w -m "cat; false"')).stdout.trim().split('\n').at(-1) ?? '';
  const task = (await box.run(`mrjob get --json ${job} | json task.0.key`)).stdout.trim();
  const names: Readonly<Record<string, string>> = {
    '/var/lib/marlin/data': box.data,
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
