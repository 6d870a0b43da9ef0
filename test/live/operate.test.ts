/** Status, backup, restore and stop of a one-box, as its operator does it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { marlinCommand, startOneBox } from '../support/one-box.js';

function marlin(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(marlinCommand, [...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** What is said when the objects are on a disk of that size: mounted for this command alone. */
function statusWithDisk(directory: string, size: string) {
  const script = 'mount -t tmpfs -o size="$1" none "$2" && exec "$3" status --data "$4"';
  const args = ['-rm', 'sh', '-c', script, 'sh', size, directory, marlinCommand, path.dirname(directory)];
  return spawnSync('unshare', args, { encoding: 'utf8' });
}

t.test('a Marlin is looked at, saved, stopped, and made again elsewhere', async (t) => {
  const box = await startOneBox(t, { driver: 'process', zones: 2 });
  await box.put('~~/stor/kept', 'kept for ever\n');
  const status = marlin('status', '--data', box.data);
  t.equal(status.status, 0, status.stderr);
  t.match(status.stdout, /^SERVICE +PID +ANSWER\nmoray +\d+ {2}port \d+\nstorage +\d+ {2}http/);
  t.match(
    status.stdout,
    /\nagent +\d+ {2}http:\S+, zones: .*(ready|uninit).*\narchiver +\d+ {2}http:\S+, \d+ jobs in hand/,
  );
  const json = JSON.parse(marlin('status', '--json', '--data', box.data).stdout);
  t.match(json, { pid: Number, services: [{ name: 'moray', says: String }, {}, {}, {}, {}, {}] });
  t.match(status.stdout, new RegExp(`\\ndisk +- {2}${box.data}, \\d+ % used, \\d+ MB free\\n$`));
  t.match(json, { disks: [{ directory: box.data, problem: null }] });
  const full = statusWithDisk(path.join(box.data, 'storage'), '32m');
  t.equal(full.status, 4, 'everybody answers, but there is no room');
  t.match(full.stdout, /\ndisk .* MB free\ndisk +- {2}\S+\/storage, 0 % used, 32 MB free: almost no space left\n$/);

  const work = t.testdir();
  const archive = path.join(work, 'saved.tar');
  t.same(marlin('backup', '--data', box.data, archive), { status: 0, stdout: '', stderr: '' }, 'while it is up');
  t.match(marlin('backup', '--data', box.data, archive), { status: 1, stderr: /is there already/ });
  t.match(marlin('restore', '--data', box.data, archive), { status: 1, stderr: /is not empty/ });
  await box.put('~~/stor/later', 'not in it\n');
  const job = await box.run('echo ~~/stor/kept | mjob create -o -m "wc -c"');
  t.match(job.stdout, /14/);

  t.match(marlin('down', '--data', box.data), { status: 0, stdout: /^stopped \(pid \d+\)\n$/ });
  t.match(marlin('down', '--data', box.data), { status: 0, stdout: /^nothing was up in / });
  t.match(marlin('status', '--data', box.data), { status: 3, stdout: /^no Marlin is up in / });

  // The machine is lost, and the same directory made again from the archive.
  fs.rmSync(box.data, { recursive: true });
  fs.writeFileSync(path.join(work, 'bad.tar'), 'x');
  t.match(marlin('restore', '--data', box.data, path.join(work, 'bad.tar')), { status: 1, stderr: /tar failed/ });
  t.notOk(fs.existsSync(box.data), 'what failed leaves nothing');
  t.same(marlin('restore', '--data', box.data, archive), { status: 0, stdout: '', stderr: '' });
  await box.restart();
  t.equal((await box.run('mget -q ~~/stor/kept')).stdout, 'kept for ever\n');
  t.not((await box.run('mget -q ~~/stor/later')).status, 0, 'what came after the backup is not there');
});
