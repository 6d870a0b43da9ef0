/** An agent that only boots its zone, leaves a command running in it, says so, and waits to be killed. */
import { bootZone } from './zones.js';

const shell = await bootZone(JSON.parse(process.argv[2] ?? '{}'));
await shell.run('touch $ROOT/var/tmp/left');
await shell.start('exec -a "straggler-$MARLIN_ZONE" sleep 1000');
await shell.run('until grep -qsa "^straggler-$MARLIN_ZONE" /proc/[0-9]*/cmdline; do sleep 0.01; done');
console.log('running');
