import fc from 'fast-check';
import t from 'tap';
import {
  abbreviatePath,
  decodeObjectName,
  encodeObjectName,
  taskObjectNames,
} from '../../../src/taskapi/object-names.js';

const d = '12345678901234567890';
const a = `${d.repeat(12)}123456789012345`; // 255 characters
const b = `${a}6`;
const ad = `${a.slice(0, 252)}dir`;
const bd = `${b.slice(0, 253)}dir`;
const cut = (x: string) => `${x.slice(0, 251)}_...`;

// biome-ignore format: table
const cases: readonly [name: string, path: string][] = [
  [`/U/stor/${ad}/foo`, `/U/stor/${ad}/foo`],
  [`/U/stor/dir/${a}`, `/U/stor/dir/${a}`],
  [`/U/stor/${bd}/foo`, `/U/stor/${cut(bd)}/foo`],
  [`/U/stor/dir/${b}`, `/U/stor/dir/${cut(b)}`],
  [`/U/stor/${ad}/${ad}/${a}`, `/U/stor/${ad}/${ad}/${a}`],
  [`/U/stor/${bd}/${ad}/${a}`, `/U/stor/${cut(bd)}/${ad}/${a}`],
  [`/U/stor/foodir/bardir/${ad}/${ad}/${ad}/${ad}/${ad}/bazdir/bop`, '/U/stor/foodir/_.../bazdir/bop'],
  [`/${a}/${a}/${a}/${a}/${a}`, `/${a}/${a}/_.../${a}`],
  [`/U/stor/${'ä'.repeat(130)}`, `/U/stor/${'ä'.repeat(125)}_...`],
];
for (const [name, path] of cases) {
  t.same(abbreviatePath(name), { path, shortened: name !== path }, `${name.slice(0, 30)}… (${name.length})`);
}

t.throws(() => abbreviatePath('U/stor'), /malformed path: no leading "\/"/);

t.test('what is shortened fits, and stays as it is', async () => {
  const component = fc.string({ maxLength: 400, unit: 'grapheme' }).map((text) => text.replaceAll('/', ''));
  const name = fc.array(component, { minLength: 1, maxLength: 12 }).map((parts) => `/${parts.join('/')}`);
  const fits = fc.property(name, (name) => {
    const { path } = abbreviatePath(name);
    const components = path.slice(1).split('/');
    return (
      Buffer.byteLength(path) <= 1024 &&
      components.every((part) => Buffer.byteLength(part) <= 255) &&
      !abbreviatePath(path).shortened
    );
  });
  fc.assert(fits);
});

t.test('encoding is undone by decoding', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => decodeObjectName(encodeObjectName(name)) === name));
  t.equal(encodeObjectName('/U/stor/my dir/M%41RK'), '/U/stor/my%20dir/M%2541RK');
  t.throws(() => decodeObjectName('/U/stor/%zz'), URIError);
});

t.test('names of a task’s objects go back to the job’s input', async (t) => {
  const identity = { login: 'bob', jobId: 'J', phaseNum: 0, taskId: 'T', isReduce: false, input: '/bob/stor/obj1' };
  t.equal(taskObjectNames(identity).taskOutputKey, '/bob/jobs/J/stor/bob/stor/obj1.0.T');
  t.equal(taskObjectNames(identity).taskErrorKey, '/bob/jobs/J/stor/bob/stor/obj1.0.err.T');
  const later = { ...identity, phaseNum: 1, input: '/bob/jobs/J/stor/bob/stor/obj1.0.T0' };
  t.equal(taskObjectNames({ ...later, p0input: '/bob/stor/obj1' }).taskOutputKey, '/bob/jobs/J/stor/bob/stor/obj1.1.T');
  const afterReduce = { ...later, input: '/bob/jobs/J/stor/reduce.0.T0' };
  t.equal(taskObjectNames(afterReduce).taskOutputKey, '/bob/jobs/J/stor/reduce.0.T0.1.T');
  t.equal(taskObjectNames({ ...identity, isReduce: true }).taskOutputBase, '/bob/jobs/J/stor/reduce.0.');
  t.equal(taskObjectNames(identity).taskCoreBase, '/bob/jobs/J/stor/cores/0/');
});
