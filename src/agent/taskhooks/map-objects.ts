/** Makes the input of a map task appear in its zone, and nothing else. Source: spec 05 §6.1. */
import path from 'node:path';
import VError from 'verror';
import { taskErrors } from '../../records/error-codes.js';
import { emptyObjectId } from '../../records/limits.js';
import { abbreviatePath } from '../../taskapi/object-names.js';
import { TaskSetUpError } from './errors.js';
import type { TaskHook, TaskSetUp } from './hook.js';

export const mapObjects: TaskHook = {
  name: 'map objects',
  async setUp(context) {
    const { zone, driver, details, task } = context;
    const { input } = task.stored.value;
    if (!details.isMap || input === undefined) return {};
    if (!input.startsWith('/')) throw new TaskSetUpError(taskErrors.malformedPath());
    const { path: name, shortened } = abbreviatePath(input);
    task.shortened = shortened;
    await driver.unmapObjects(zone).catch((error: Error) => {
      throw new VError(error, 'failed to unmap objects');
    });
    const source = sourceOf(context);
    try {
      return { taskInputFile: await driver.mapObject(zone, source, name) };
    } catch (error) {
      const where = `failed to load ${JSON.stringify(task.stored.value)} from ${source} (at local path "${name}")`;
      throw new TaskSetUpError(taskErrors.cannotLoadObject(`${where}: ${(error as Error).message}`));
    }
  },
};

/** null: the empty object. */
function sourceOf({ task, storageRoots }: TaskSetUp): string | null {
  const { objectid, zonename = '', creator, account = '' } = task.stored.value;
  if (objectid === undefined || objectid === emptyObjectId) return null;
  const root = storageRoots.get(zonename);
  if (root === undefined) {
    throw new TaskSetUpError(taskErrors.cannotLoadObject(`no storage node "${zonename}" on this machine`));
  }
  return path.join(root, creator ?? account, objectid);
}
