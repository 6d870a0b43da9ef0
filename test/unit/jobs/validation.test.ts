import t from 'tap';
import { validateJob } from '../../../src/jobs/validation.js';

const images = ['13.1.0', '13.3.6', '16.1.0'];
const user = { isPrivileged: false, images };
const operator = { isPrivileged: true, images };
const job = (members: object) => ({ name: '', phases: [{ exec: 'wc' }], ...members });
const phase = (members: object) => ({ name: '', phases: [{ exec: 'wc', ...members }] });

// biome-ignore format: table
const refused: readonly [definition: unknown, message: string][] = [
  [{ name: '' }, 'property "phases": is missing and it is required'],
  [{ phases: [{ exec: 'wc' }] }, 'property "name": is missing and it is required'],
  [job({ phases: 'x' }), 'property "phases": string value found, but a array is required'],
  [job({ phases: null }), 'property "phases": object value found, but a array is required'],
  [job({ phases: {} }), 'property "phases": object value found, but a array is required'],
  [job({ phases: [] }), 'property "phases": there must be a minimum of 1 in the array'],
  [job({ phases: ['x'] }), 'property "phases[0]": string value found, but a object is required'],
  [job({ phases: [{ exec: 'wc' }, null] }), 'property "phases[1]": must not be null'],
  [job({ phases: [{}] }), 'property "phases[0].exec": is missing and it is required'],
  [phase({ exec: '' }), 'property "phases[0].exec": must be at least 1 characters long'],
  [phase({ exec: 1 }), 'property "phases[0].exec": number value found, but a string is required'],
  [phase({ init: 1 }), 'property "phases[0].init": number value found, but a string is required'],
  [phase({ image: 1 }), 'property "phases[0].image": number value found, but a string is required'],
  [phase({ type: 'x' }), 'property "phases[0].type": does not have a value in the enumeration storage-map, map, reduce'],
  [phase({ memory: 3 }), 'property "phases[0].memory": does not have a value in the enumeration 128, 256, 512, 1024, 2048, 4096, 8192'],
  [phase({ memory: '1' }), 'property "phases[0].memory": string value found, but a number is required'],
  [phase({ disk: 3 }), 'property "phases[0].disk": does not have a value in the enumeration 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024'],
  [phase({ count: 0 }), 'property "phases[0].count": must have a minimum value of 1'],
  [phase({ count: 129 }), 'property "phases[0].count": must have a maximum value of 128'],
  [phase({ count: 1.5 }), 'property "phases[0].count": number value found, but a integer is required'],
  [phase({ assets: 'x' }), 'property "phases[0].assets": string value found, but a array is required'],
  [phase({ assets: [1] }), 'property "phases[0].assets[0]": number value found, but a string is required'],
  [phase({ uarg: 'x' }), 'property "phases[0].uarg": string value found, but a object is required'],
  [job({ foo: 1 }), 'property "foo": unsupported property'],
  [job({ constructor: 1 }), 'property "constructor": unsupported property'],
  [phase({ foo: 1 }), 'property "phases[0].foo": unsupported property'],
  [job({ options: {} }), 'property "options": unsupported property'],
  [job({ name: 1 }), 'property "name": number value found, but a string is required'],
  [job({ name: 'a\0b' }), 'property "name": must not contain a zero byte'],
  [phase({ exec: 'echo a\0b' }), 'property "phases[0].exec": must not contain a zero byte'],
  [phase({ init: '\0' }), 'property "phases[0].init": must not contain a zero byte'],
  [phase({ assets: ['/a/stor/\0'] }), 'property "phases[0].assets[0]": must not contain a zero byte'],
  [job({ transient: 'yes' }), 'property "transient": string value found, but a boolean is required'],
  [null, 'job must not be null'],
  [[], 'job must be an object'],
  [phase({ image: 'newest' }), 'property "phases[0].image": invalid semver range: "newest"'],
  [phase({ image: '15.x' }), 'property "phases[0].image": unsupported version: "15.x"'],
];
for (const [definition, message] of refused) t.equal(validateJob(definition, user), message, message);

// biome-ignore format: table
const accepted: readonly [title: string, definition: unknown][] = [
  ['the least', phase({})],
  ['everything', job({ transient: true, phases: [{ type: 'reduce', exec: 'cat', init: '', assets: ['/a/stor/b'], count: 128, memory: 8192, disk: 2, image: '>=13.3', uarg: {} }] })],
  ['a count as text', phase({ count: '2' })],
  ['an obsolete type', phase({ type: 'storage-map' })],
  ['any image', phase({ image: '*' })],
];
for (const [title, definition] of accepted) t.equal(validateJob(definition, user), null, title);

t.equal(validateJob(job({ options: { keepIntermediate: true } }), operator), null, 'operators may give options');
t.equal(
  validateJob(job({ options: { keepIntermediate: 'yes' } }), operator),
  'property "options.keepIntermediate": string value found, but a boolean is required',
);
