import t from 'tap';
import { backOffMs } from '../../../src/bus/back-off.js';

t.same([1, 2, 3, 7, 8, 30, 1000].map(backOffMs), [100, 200, 400, 6400, 10_000, 10_000, 10_000]);
t.throws(() => backOffMs(0));
