/** A zone as operators see it, in the list of zones and in the snapshot. Source: spec 05 §1.7. */
import type { Core } from '../core.js';
import type { PoolZone } from '../zones/pool.js';

export function zoneObject(core: Pick<Core, 'servers'>, zone: PoolZone): object {
  const { name, state, disabled, resetting, stages, quiesced, preparing } = zone;
  const ended = stages.filter(({ status }) => status === 'ok' || status === 'fail');
  const failed = stages.filter(({ status }) => status === 'fail').length;
  const pipeline = { operations: stages, successes: ended.length - failed, ndone: ended.length, nerrors: failed };
  return {
    zonename: name,
    state,
    nwaiters: core.servers.get(name)?.polls.size ?? 0,
    ...(preparing === null ? {} : { pipeline }),
    ...(stages.at(-1)?.funcname === 'maZonePause' && preparing !== null ? { timeout: true } : {}),
    ...(quiesced ? { quiesced: true } : {}),
    ...(resetting === null ? {} : { resetFailures: resetting.failures, resetErrorMessage: resetting.message }),
    ...(disabled === null ? {} : { disableTime: disabled.time, disableErrorMessage: disabled.message }),
  };
}
