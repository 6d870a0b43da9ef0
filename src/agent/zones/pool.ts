/**
 * The zones of this machine: prepares them, and tells the scheduler which are ready.
 *
 * A reset that fails is tried again after a pause that doubles; after the last attempt the zone is disabled until an
 * operator enables it, and the reason listed. A zone that ends on its own is reset like one that was used. What a zone is, is in its life
 * cycle (life-cycle.ts); what it is used for is the scheduler's business. Source: spec 05 §5.
 */
import path from 'node:path';
import VError from 'verror';
import { type Clock, sleep } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import type { Logger } from '../../common/logging.js';
import type { Instruments } from '../instruments.js';
import type { SchedulerEvent } from '../scheduler/events.js';
import type { ZoneDriver, ZoneImage, ZoneLimits } from './driver.js';
import { nextState, type ZoneEvent, type ZoneState } from './life-cycle.js';

export interface PoolParts {
  readonly driver: ZoneDriver;
  readonly clock: Clock;
  readonly log: Logger;
  readonly send: (event: SchedulerEvent) => void;
  readonly instruments: Pick<Instruments, 'counts' | 'zoneReset'>;
  readonly image: ZoneImage;
  readonly limits: ZoneLimits;
  readonly attempts: number;
  readonly retryMs: number;
  readonly logDirectory: string;
  readonly newId: () => string;
  /** Of all zones, those that silent lackeys may take out of service. */
  readonly maxDisabledPercent: number;
  /** Requests of the old lackey are turned away. */
  readonly closeRequests: (zone: string) => void;
  /** A busy zone ended without having been asked to. */
  readonly endedAlone: (zone: string) => void;
}

export interface PoolZone {
  readonly name: string;
  state: ZoneState;
  /** An operator wants it out of service as soon as its task has ended. */
  quiesced: boolean;
  /** Its lackey fell silent. */
  failed: boolean;
  disabled: { readonly time: string; readonly message: string } | null;
  /** Ends the preparation under way. */
  preparing: AbortController | null;
  /** Of the preparation: what is done, and what for; for operators. */
  stages: readonly Stage[];
  /** What the last attempts to reset it said, while it is tried again. */
  resetting: { readonly failures: number; readonly message: string } | null;
  /** Its files are being removed: it cannot be enabled any more. */
  removing: boolean;
  /** Counts lives: what concerns an earlier one is ignored. */
  life: number;
}

/** A step of a zone's preparation, in the form that operators' tools know. */
export interface Stage {
  readonly funcname: 'maZoneSaveLog' | 'maZonePause' | 'maZoneReset';
  status: 'waiting' | 'pending' | 'ok' | 'fail';
  err?: string;
}

export interface Pool {
  readonly zones: ReadonlyMap<string, PoolZone>;
  /** Begins to prepare every zone that is not known yet. */
  add(names: readonly string[]): void;
  assign(zone: string): void;
  /** Its group is done with it. @param usedBy names the saved log of the lackey. */
  release(zone: string, usedBy: string): void;
  /** At its release the zone is disabled, unless too many are. */
  markFailed(zone: string): void;
  /** The zone was reset in place, for another image. */
  newLife(zone: string): void;
  disable(zone: string): void;
  enable(zone: string): void;
  /** @throws VError `ConflictError` unless the zone is disabled. */
  remove(zone: string): Promise<void>;
  stop(): Promise<void>;
}

export function createPool(parts: PoolParts): Pool {
  const { driver, clock, log, send } = parts;
  const zones = new Map<string, PoolZone>();
  const underWay = new Set<Promise<void>>();
  const { counts } = parts.instruments;
  let stopping = false;

  /** The one place that changes what a zone is. @param reason why it is out of service. */
  function move(zone: PoolZone, event: ZoneEvent, reason = ''): void {
    const before = zone.state;
    zone.state = nextState(before, event);
    zone.resetting = null;
    zone.disabled = zone.state === 'disabled' ? { time: isoTime(clock.nowMs()), message: reason } : null;
    const lives = zone.state === 'ready' || zone.state === 'busy';
    if (!lives) {
      zone.life++;
      zone.failed = false;
      zone.quiesced &&= zone.state === 'uninit';
    }
    if (event === 'prepared') counts.zones_readied++;
    if (event === 'failed') counts.zones_disabled++;
    log.debug({ zone: zone.name, event, before, after: zone.state }, 'zone');
  }

  function prepare(zone: PoolZone, usedBy: string | null, pauseMs = 0): void {
    if (stopping) return;
    const abort = new AbortController();
    zone.preparing = abort;
    parts.closeRequests(zone.name);
    send({ event: 'zone resetting', zone: zone.name });
    const work = reset(zone, { usedBy, pauseMs, signal: abort.signal }).finally(() => underWay.delete(work));
    underWay.add(work);
  }

  async function reset(zone: PoolZone, how: { usedBy: string | null; pauseMs: number; signal: AbortSignal }) {
    zone.stages = [];
    if (how.usedBy !== null) await staged(zone, 'maZoneSaveLog', saveLog(zone.name, how.usedBy));
    let pauseMs = how.pauseMs;
    for (let attempt = 1; !how.signal.aborted; attempt++) {
      try {
        if (pauseMs > 0 && !(await staged(zone, 'maZonePause', sleep(clock, pauseMs, how.signal)))) break;
        const startedMs = clock.nowMs();
        await staged(zone, 'maZoneReset', driver.reset(zone.name, parts.image, parts.limits, how.signal));
        parts.instruments.zoneReset((clock.nowMs() - startedMs) / 1000);
        break;
      } catch (error) {
        if (how.signal.aborted) break;
        const { message } = error as Error;
        log.warn({ err: error, zone: zone.name, attempt }, 'zone could not be reset');
        if (attempt >= parts.attempts) {
          zone.preparing = null;
          takeOut(zone, `zone not ready: ${message}`);
          return;
        }
        zone.resetting = { failures: attempt, message };
        pauseMs = parts.retryMs * 2 ** (attempt - 1);
      }
    }
    zone.preparing = null;
    if (stopping || how.signal.aborted) return;
    if (zone.quiesced) {
      takeOut(zone, operatorReason);
      return;
    }
    move(zone, 'prepared');
    watch(zone);
    send({ event: 'zone ready', zone: zone.name });
  }

  async function staged<Result>(zone: PoolZone, funcname: Stage['funcname'], work: Promise<Result>): Promise<Result> {
    const stage: Stage = { funcname, status: 'pending' };
    zone.stages = [...zone.stages, stage];
    try {
      const result = await work;
      stage.status = 'ok';
      return result;
    } catch (error) {
      stage.status = 'fail';
      stage.err = (error as Error).message;
      throw error;
    }
  }

  async function saveLog(zone: string, usedBy: string): Promise<void> {
    const file = path.join(parts.logDirectory, `${usedBy}.${parts.newId()}`);
    await driver
      .saveLog(zone, file)
      .catch((error: unknown) => log.warn({ err: error, zone }, 'lackey log is not saved'));
  }

  function watch(zone: PoolZone): void {
    const { life } = zone;
    void driver.ended(zone.name).then(() => {
      if (stopping || zone.life !== life) return;
      log.warn({ zone: zone.name }, 'zone ended on its own');
      if (zone.state === 'busy') parts.endedAlone(zone.name);
      if (zone.state !== 'ready') return;
      move(zone, 'ended');
      prepare(zone, null, parts.retryMs);
    });
  }

  function takeOut(zone: PoolZone, reason: string): void {
    move(zone, 'failed', reason);
    parts.closeRequests(zone.name);
    log.error({ zone: zone.name }, `zone disabled: ${reason}`);
    send({ event: 'zone disabled', zone: zone.name });
  }

  function mayDisable(): boolean {
    const disabled = [...zones.values()].filter(({ state }) => state === 'disabled').length;
    return disabled + 1 <= Math.floor((zones.size * parts.maxDisabledPercent) / 100);
  }

  function named(name: string): PoolZone {
    const zone = zones.get(name);
    if (zone === undefined) throw new VError({ name: 'ResourceNotFoundError' }, 'no such zone: "%s"', name);
    return zone;
  }

  return {
    zones,
    add(names) {
      const added: PoolZone[] = [];
      for (const name of names) {
        if (zones.has(name)) continue;
        const zone: PoolZone = {
          name,
          state: 'uninit',
          quiesced: false,
          failed: false,
          disabled: null,
          preparing: null,
          stages: [],
          resetting: null,
          removing: false,
          life: 0,
        };
        zones.set(name, zone);
        added.push(zone);
        counts.zones_added++;
      }
      for (const zone of added) prepare(zone, null);
    },
    assign: (name) => move(named(name), 'assigned'),
    release(name, usedBy) {
      const zone = named(name);
      if (zone.quiesced) {
        takeOut(zone, operatorReason);
        return;
      }
      if (zone.failed && mayDisable()) {
        takeOut(zone, 'zone failed (lackey timed out)');
        return;
      }
      if (zone.failed) log.error({ zone: name }, 'too many zones are disabled: a failed zone stays in service');
      move(zone, 'released');
      prepare(zone, usedBy);
    },
    markFailed(name) {
      named(name).failed = true;
    },
    newLife(name) {
      const zone = named(name);
      zone.life++;
      watch(zone);
    },
    disable(name) {
      const zone = named(name);
      if (zone.state === 'disabled') return;
      if (zone.state === 'ready') {
        takeOut(zone, operatorReason);
        return;
      }
      zone.quiesced = true;
      if (zone.state === 'busy') send({ event: 'zone quiesced', zone: name });
    },
    enable(name) {
      const zone = named(name);
      if (zone.state !== 'disabled' || zone.removing) return;
      move(zone, 'enabled');
      prepare(zone, null);
    },
    async remove(name) {
      const zone = named(name);
      if (zone.state !== 'disabled') throw new VError({ name: 'ConflictError' }, 'zone is not disabled');
      if (zone.removing) throw new VError({ name: 'ConflictError' }, 'zone is being removed');
      zone.removing = true;
      try {
        await driver.destroy(name);
      } finally {
        zone.removing = false;
      }
      move(zone, 'removed');
      zones.delete(name);
      send({ event: 'zone removed', zone: name });
    },
    async stop() {
      stopping = true;
      for (const zone of zones.values()) zone.preparing?.abort();
      await Promise.allSettled(underWay);
    },
  };
}

const operatorReason = 'zone disabled by operator';
