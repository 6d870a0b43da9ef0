import fc from 'fast-check';
import t from 'tap';
import { matches, namesResources, ruleAllows } from '../../../src/accounts/rules.js';

const conditions = {
  date: '2026-11-23T10:30:00.000Z', // a Monday
  fromjob: true,
  method: 'GET',
  owner: 'uuid-a',
  sourceip: '10.1.2.3',
  'user-agent': 'restify/1.6.0 (x64)',
  overwrite: false,
};

// biome-ignore format: table
const cases: readonly [rule: string, allowed: boolean][] = [
  ['CAN getobject',                                              true],
  ['* can getobject',                                            true],
  ['Can putobject, getobject',                                   true],
  ['CAN putobject and getobject',                                true],
  ['CAN putobject, deleteobject, and getobject',                 true],
  ['CAN putobject',                                              false],
  ['CAN get*',                                                   true],
  ['CAN *',                                                      true],
  ['CAN getobject /uuid-a/stor/*',                               true],
  ['CAN getobject /alice/stor/*.txt and /alice/stor/b',          true],
  ['CAN getobject "/alice/stor/a.txt"',                          true],
  ['CAN getobject /alice/stor/b*',                               false],
  ['CAN getobject WHEN fromjob',                                 true],
  ['CAN getobject IF fromjob = true',                            true],
  ['CAN getobject WHERE fromjob::boolean = false',               false],
  ['CAN getobject WHEN NOT fromjob',                             false],
  ['CAN getobject WHEN overwrite OR method = GET',               true],
  ['CAN getobject WHEN overwrite AND method = GET',              false],
  ['CAN getobject WHEN NOT (overwrite OR method = PUT)',         true],
  ['CAN getobject WHEN method in (PUT, GET)',                    true],
  ['CAN getobject WHEN user-agent LIKE restify*',                true],
  ['CAN getobject WHEN user-agent = "restify/1.6.0 (x64)"',      true],
  ['CAN getobject WHEN sourceip = 10.0.0.0/8',                   true],
  ['CAN getobject WHEN sourceip != 10.0.0.0/8',                  false],
  ['CAN getobject WHEN sourceip = 192.168.1.1',                  false],
  ['CAN getobject WHEN date > 2026-01-01',                       true],
  ['CAN getobject WHEN date < 2026-01-01',                       false],
  ['CAN getobject WHEN day = Monday',                            true],
  ['CAN getobject WHEN day in (Sat, Sun)',                       false],
  ['CAN getobject WHEN time::time >= 09:00 AND time < 17:00:00', true],
  // What cannot be understood grants nothing.
  ['getobject',                                                  false],
  ['',                                                           false],
  ['bob CAN getobject',                                          false],
  ['CAN',                                                        false],
  ['CAN getobject WHEN',                                         false],
  ['CAN getobject WHEN colour = red',                            false],
  ['CAN getobject WHEN NOT colour = red',                        false],
  ['CAN getobject WHEN fromjob OR colour = red',                 false],
  ['CAN getobject WHEN __proto__ = x',                           false],
  ['CAN getobject WHEN fromjob = maybe',                         false],
  ['CAN getobject WHEN sourceip::string = 10.1.2.3',             false],
  ['CAN getobject WHEN sourceip < 10.1.2.4',                     false],
  ['CAN getobject WHEN time > 25:00',                            false],
  ['CAN getobject WHEN (fromjob',                                false],
  ['CAN getobject WHEN fromjob extra',                           false],
  ['CAN getobject /a /b',                                        false],
  ['CAN getobject "unfinished',                                  false],
];
for (const [rule, allowed] of cases) {
  const question = { action: 'getobject', names: ['/uuid-a/stor/a.txt', '/alice/stor/a.txt'], conditions };
  t.equal(ruleAllows(rule, question), allowed, rule);
}

t.test('a missing variable grants nothing', async (t) => {
  const question = { action: 'getobject', names: [], conditions: {} };
  t.notOk(ruleAllows('CAN getobject WHEN sourceip != 10.0.0.0/8', question));
  t.notOk(ruleAllows('CAN getobject WHEN date > 1990-01-01', question));
});

t.test('rules as Mahi sends them', async (t) => {
  t.ok(ruleAllows(['CAN getobject', { parsed: true }], { action: 'getobject', names: [], conditions: {} }));
  t.notOk(ruleAllows([{ parsed: true }], { action: 'getobject', names: [], conditions: {} }));
  t.ok(namesResources('CAN getobject *'));
  t.notOk(namesResources('CAN getobject'));
});

t.test('no text is misread as a rule that grants without CAN and the action', async () => {
  const word = fc.constantFrom(
    'can',
    'getobject',
    'when',
    'not',
    'and',
    '(',
    ')',
    '"',
    ',',
    '=',
    'fromjob',
    '*',
    'x',
    '::',
  );
  const property = fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 10 }), (words) => {
    const rule = words.join(' ');
    const allowed = ruleAllows(rule, { action: 'getobject', names: ['/a'], conditions: {} });
    return !allowed || (/can/i.test(rule) && /getobject|\*/i.test(rule));
  });
  fc.assert(property);
});

t.test('a pattern made from a text by putting stars for parts of it matches that text', async () => {
  const property = fc.property(fc.array(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 6 }), (parts) => {
    const text = parts.join('');
    const pattern = parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('*', '') : '*')).join('');
    const plain = parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('*', '') : part)).join('');
    return matches(pattern, plain) && matches('*', text);
  });
  fc.assert(property);
});
