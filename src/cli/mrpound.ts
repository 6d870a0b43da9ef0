/** `mrpound`: writes one record again and again, so that everybody else's conditional writes conflict. For development. */
import VError from 'verror';
import type { MorayObject } from '../moray/client/types.js';
import { programOf } from './command.js';
import type { CliContext } from './context.js';

export const mrpound = programOf<CliContext>({
  name: 'mrpound',
  args: 'bucket key',
  argCount: { least: 2, most: 2 },
  help: 'changes a record without end, to provoke conflicts (development only)',
  options: [],
  async run({ args: [bucket = '', key = ''], context }) {
    const { moray } = await context.store();
    const failed = (what: string, cause: unknown) =>
      new VError({ name: 'PoundError', cause: cause as Error }, 'failed to %s record', what);
    for (let count = 0; ; count++) {
      const { value, _etag: etag }: MorayObject = await moray.getObject(bucket, key).catch((error: unknown) => {
        throw failed('fetch', error);
      });
      await moray.putObject(bucket, key, { ...value, _mrpound: count }, { etag }).catch((error: unknown) => {
        throw failed('update', error);
      });
    }
  },
});
