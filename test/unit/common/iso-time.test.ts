import t from 'tap';
import { isoTime } from '../../../src/common/iso-time.js';

t.equal(isoTime(0), '1970-01-01T00:00:00.000Z', 'times always have three digits of milliseconds');
