/** A storage node in a process of its own, for tests that kill it: prints its URL. */
import { createLogger } from '../../src/common/logging.js';
import { startStorageNode } from '../../src/storage/node.js';

const [root = ''] = process.argv.slice(2);
const log = createLogger({ name: 'storage', level: 'fatal' });
const { url } = await startStorageNode({ root, host: '127.0.0.1', port: 0, log });
process.stdout.write(`${url}\n`);
