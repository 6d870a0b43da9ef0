/**
 * Part of `make soak`: a third storage node is killed again and again while objects are stored and read. Prints figures,
 * and ends with status 1 if anything that was acknowledged cannot be read, or is not on the killed node's disk.
 * Setting, in the environment: SOAK_STORAGE_KILLS.
 */
import { startTestFrontdoor } from '../../test/support/frontdoor.js';
import { killStorageNode } from '../../test/support/killed-storage.js';

const endings: (() => void | Promise<void>)[] = [];
const context = { teardown: (action: () => void | Promise<void>) => void endings.unshift(action) };
try {
  const frontdoor = await startTestFrontdoor(context);
  const kills = Number(process.env['SOAK_STORAGE_KILLS'] ?? 10);
  const report = await killStorageNode(context, frontdoor, { kills, uploadsBetween: 50, uploaders: 8, readers: 4 });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.unreadable.length > 0 || report.lost.length > 0 ? 1 : 0;
} finally {
  for (const end of endings) await end();
}
