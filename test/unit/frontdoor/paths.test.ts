import fc from 'fast-check';
import t from 'tap';
import { cleanPath, keyOf, parentKey, parsePath } from '../../../src/frontdoor/paths.js';

// biome-ignore format: table
const cases: readonly [path: string, login: string, components: readonly string[], kind: string][] = [
  ['/',                           '',      [],                            'account root'],
  ['/wilma',                      'wilma', [],                            'account root'],
  ['/wilma/stor',                 'wilma', ['stor'],                      'root'],
  ['/wilma/st%6Fr',               'wilma', ['stor'],                      'root'],
  ['/wilma/stor/a b',             'wilma', ['stor', 'a b'],               'entry'],
  ['/wilma/stor/a%20b',           'wilma', ['stor', 'a b'],               'entry'],
  ['/wilma/stor/%C3%A4',          'wilma', ['stor', 'ä'],                 'entry'],
  ['/wilma/stor/\u00c3\u00a4',    'wilma', ['stor', 'ä'],                 'entry'],
  ['/wilma/stor/a%2Fb',           'wilma', ['stor', 'a', 'b'],            'entry'],
  ['/wilma/stor/..%2F..%2Ffred',  'wilma', ['stor', '..', '..', 'fred'],  'entry'],
  ['/wilma/stor%2F',              'wilma', ['stor'],                      'root'],
  ['/wilma/jobs/1/stor',          'wilma', ['jobs', '1', 'stor'],         'job stor'],
  ['/wilma/jobs/1/stor/a',        'wilma', ['jobs', '1', 'stor', 'a'],    'entry'],
  ['/wilma/jobs/1',               'wilma', ['jobs', '1'],                 'entry'],
  ['/wilma/other/a',              'wilma', ['other', 'a'],                'nowhere'],
];
for (const [path, login, components, kind] of cases) {
  t.match(parsePath(path), { path, login, components, kind }, `"${path}" is taken apart`);
}

for (const path of ['/wilma/%', '/wilma/%zz', '/wilma/%4', '/wilma/%ff', '/wilma/stor/%00', '/wilma/\u00ff']) {
  t.equal(parsePath(path), null, `"${path}" is no name`);
}

t.equal(cleanPath('//wilma///stor/'), '/wilma/stor', 'slashes are cleaned up');
t.equal(cleanPath('/'), '/', 'the root of all stays');
t.equal(parentKey('/uuid/stor/a'), '/uuid/stor', 'the parent of a key is the key without its last component');

t.test('whatever a name contains, it comes back from its encoded form', async () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[/\0]/.test(text));
  const property = fc.property(fc.array(name, { minLength: 1 }), (names) => {
    const target = parsePath(`/wilma/stor/${names.map(encodeURIComponent).join('/')}`);
    return keyOf('uuid', target?.components ?? []) === `/uuid/stor/${names.join('/')}`;
  });
  fc.assert(property);
});
