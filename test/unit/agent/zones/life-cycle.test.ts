import t from 'tap';
import { nextState } from '../../../../src/agent/zones/life-cycle.js';

t.equal(nextState('uninit', 'prepared'), 'ready');
t.equal(nextState('ready', 'assigned'), 'busy');
t.equal(nextState('busy', 'released'), 'uninit', 'a zone that was used must be reset');
t.equal(nextState('busy', 'failed'), 'disabled');
t.equal(nextState('disabled', 'enabled'), 'uninit');
t.throws(() => nextState('busy', 'assigned'), 'a busy zone belongs to one task group');
t.throws(() => nextState('uninit', 'assigned'), 'an unclean zone is never assigned');
