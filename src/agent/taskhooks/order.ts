/** What is done before a zone runs tasks of a group, and before each task: in this order. */
import { assets } from './assets.js';
import { environment } from './environment.js';
import type { StreamHook, TaskHook } from './hook.js';
import { limits } from './limits.js';
import { mapObjects } from './map-objects.js';

export const streamHooks: readonly StreamHook[] = [limits, assets];
export const taskHooks: readonly TaskHook[] = [mapObjects, environment];
