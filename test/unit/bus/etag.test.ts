import fc from 'fast-check';
import t from 'tap';
import { etagOf } from '../../../src/bus/etag.js';

t.equal(etagOf({ str: 'hi' }), 'D8E9FBD4');
t.equal(etagOf({ a: 'é€😀x' }), '0E4E499F', 'only the low bits of each UTF-16 unit count');
t.equal(etagOf({ b: 1, 1: 2 }), etagOf({ 1: 2, b: 1 }), 'integer-like names come first');
fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => /^[0-9A-F]{8}$/.test(etagOf(value))));
t.pass('it is always eight digits');
