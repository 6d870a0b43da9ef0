/**
 * A scheduler with everything around it: carries actions out in the simplest way, under a clock of its own, and checks
 * after every event what must always hold.
 */
import assert from 'node:assert/strict';
import type { Action, SchedulerEvent } from '../../src/agent/scheduler/events.js';
import { mayHoldZone } from '../../src/agent/scheduler/open-groups.js';
import { checkState } from '../../src/agent/scheduler/self-check.js';
import { overscheduled } from '../../src/agent/scheduler/shares.js';
import {
  createSchedulerState,
  loadOf,
  poolLoad,
  queuedCount,
  type SchedulerRules,
  type SchedulerState,
} from '../../src/agent/scheduler/state.js';
import { step } from '../../src/agent/scheduler/step.js';

const rules: SchedulerRules = {
  reserve: { minZones: 1, percent: 12 },
  idleMinMs: 10_000,
  idleMaxMs: 20_000,
  hogGraceMs: 300_000,
  hogKillMs: 15_000,
  turnMs: 10_000,
  acceptPerZone: 4,
  slop: { memoryMb: 1_000, diskGb: 10 },
};

export interface Needs {
  readonly memoryMb?: number;
  readonly diskGb?: number;
  readonly acceptAhead?: boolean;
  readonly isOpen?: boolean;
}

export class World {
  readonly state: SchedulerState;
  nowMs = 0;
  readonly queued = new Map<string, string>();
  readonly ran = new Set<string>();
  readonly killed = new Set<string>();
  readonly refused = new Set<string>();
  readonly withdrawn = new Set<string>();
  readonly forgotten: string[] = [];
  /** Zone to the group whose programs it saw since its last reset. */
  readonly owner = new Map<string, string>();
  readonly loading = new Set<string>();
  readonly running = new Map<string, string>();
  readonly resetting = new Set<string>();
  readonly disabled = new Set<string>();
  readonly acceptedAhead = new Set<string>();

  constructor(
    readonly zones: readonly string[],
    change: Partial<SchedulerRules> = {},
  ) {
    this.state = createSchedulerState({ ...rules, ...change });
    for (const zone of zones) {
      this.resetting.add(zone);
      step(this.state, { event: 'zone resetting', zone }, { nowMs: 0, random: () => 0.5 });
    }
    for (const zone of zones) this.ready(zone);
  }

  send(event: SchedulerEvent): void {
    const follow: SchedulerEvent[] = [event];
    for (let next = follow.shift(); next !== undefined; next = follow.shift()) {
      const actions = step(this.state, next, { nowMs: this.nowMs, random: () => 0.5 });
      for (const action of actions) this.carryOut(action, follow);
    }
    this.check();
  }

  add(group: string, task: string, needs: Needs = {}): void {
    const { memoryMb = 0, diskGb = 0, acceptAhead = true, isOpen = false } = needs;
    this.queued.set(task, group);
    this.send({ event: 'task runnable', group: { id: group, memoryMb, diskGb, acceptAhead, isOpen }, task });
  }

  withdraw(task: string): void {
    const group = this.queued.get(task);
    if (group === undefined) return;
    this.queued.delete(task);
    this.withdrawn.add(task);
    this.send({ event: 'task withdrawn', group, task });
  }

  loaded(zone: string): void {
    this.loading.delete(zone);
    this.send({ event: 'stream loaded', zone });
  }

  end(zone: string): void {
    this.running.delete(zone);
    this.send({ event: 'task ended', zone });
  }

  ready(zone: string): void {
    this.resetting.delete(zone);
    this.owner.delete(zone);
    this.send({ event: 'zone ready', zone });
  }

  /** One thing that is under way comes to its end. @returns whether there was one. */
  finishOne(choice: number): boolean {
    const candidates = [
      ...[...this.loading].map((zone) => () => this.loaded(zone)),
      ...[...this.running.keys()].map((zone) => () => this.end(zone)),
      ...[...this.resetting].map((zone) => () => this.ready(zone)),
    ];
    candidates[choice % Math.max(1, candidates.length)]?.();
    return candidates.length > 0;
  }

  /** A stream fails: while its zone is set up, in a task, or idle. */
  failStream(choice: number): void {
    const zones = [...this.state.streams.keys()];
    const zone = zones[choice % Math.max(1, zones.length)];
    if (zone !== undefined) this.send({ event: 'stream failed', zone });
  }

  /** A reset fails for good, or a disabled zone is enabled. */
  toggleZone(choice: number): void {
    const zones = [...this.resetting, ...this.disabled];
    const zone = zones[choice % Math.max(1, zones.length)];
    if (zone === undefined) return;
    if (this.disabled.delete(zone)) {
      this.resetting.add(zone);
      this.send({ event: 'zone resetting', zone });
    } else {
      this.resetting.delete(zone);
      this.owner.delete(zone);
      this.disabled.add(zone);
      this.send({ event: 'zone disabled', zone });
    }
  }

  private carryOut(action: Action, follow: SchedulerEvent[]): void {
    switch (action.do) {
      case 'create stream':
        assert(!this.owner.has(action.zone), `${action.zone} was not reset`);
        this.owner.set(action.zone, action.group);
        this.loading.add(action.zone);
        break;
      case 'run task':
        assert.equal(this.owner.get(action.zone), action.group, `${action.zone} belongs to another group`);
        assert(!this.running.has(action.zone) && !this.loading.has(action.zone), `${action.zone} is not free`);
        assert(!this.ran.has(action.task), `${action.task} runs twice`);
        assert(this.queued.delete(action.task), `${action.task} is not queued`);
        this.ran.add(action.task);
        this.running.set(action.zone, action.task);
        break;
      case 'kill task':
        assert.equal(this.running.get(action.zone), action.task);
        this.killed.add(action.task);
        this.running.delete(action.zone);
        break;
      case 'release zone':
        this.running.delete(action.zone);
        this.loading.delete(action.zone);
        this.resetting.add(action.zone);
        follow.push({ event: 'zone resetting', zone: action.zone });
        break;
      case 'accept tasks':
        for (const task of action.tasks) this.acceptedAhead.add(task);
        break;
      case 'refuse tasks':
        for (const task of action.tasks) {
          assert(this.queued.delete(task), `${task} is not queued`);
          this.refused.add(task);
        }
        break;
      case 'forget group':
        this.forgotten.push(action.group);
        break;
    }
  }

  private check(): void {
    const { state } = this;
    checkState(state);
    this.checkZones();
    let [runningCount, acceptedCount] = [0, 0];
    for (const [id, group] of state.groups) {
      const streams = [...group.streams.values()];
      assert(queuedCount(group) > 0 || streams.length > 0, `${id} should be forgotten`);
      assert.equal(state.queue.has(id), streams.length === 0, `${id} waits if and only if it has no zone`);
      assert.equal(group.runningCount, streams.filter(({ task }) => task !== null).length);
      assert.equal(group.loadingCount, streams.filter(({ phase }) => phase === 'loading').length);
      runningCount += group.runningCount;
      acceptedCount += group.accepted.size;
      if (streams.length === 1) assert.equal(overscheduled(loadOf(group), poolLoad(state)), 0, 'one is not too many');
    }
    assert.equal(state.taskCount, this.queued.size + this.running.size);
    assert.equal(runningCount, this.running.size);
    assert.equal(state.acceptedCount, acceptedCount);
    assert(acceptedCount <= 4 * this.zones.length, 'the accept window is exceeded');
    this.checkSlop();
  }

  private checkZones(): void {
    const { state } = this;
    const zones = [...state.ready, ...state.resetting, ...state.disabled, ...state.streams.keys()];
    assert.deepEqual([...zones].sort(), [...this.zones].sort(), 'each zone is in one place');
    assert.deepEqual([...state.resetting].sort(), [...this.resetting].sort());
    const idle = [...state.streams.values()].filter(({ phase }) => phase === 'idle').map(({ zone }) => zone);
    assert.deepEqual([...state.idle].sort(), idle.sort());
    for (const zone of state.ready) assert(!state.quiesced.has(zone) && !this.owner.has(zone), `${zone} is not clean`);
    if (state.ready.size === 0) return;
    for (const id of state.queue) {
      const group = state.groups.get(id);
      if (group !== undefined && !mayHoldZone(state, group)) continue;
      const needs = group?.needs;
      const wants = (needs?.memoryMb ?? 0) + (needs?.diskGb ?? 0);
      assert(wants > 0 && state.slop.granted.size > 0, `${id} waits although a zone is free`);
    }
  }

  private checkSlop(): void {
    const { slop } = this.state;
    const held = [...slop.granted.values()];
    const sum = (field: 'memoryMb' | 'diskGb') => held.reduce((total, one) => total + one[field], 0);
    assert.equal(slop.memoryUsedMb, sum('memoryMb'));
    assert.equal(slop.diskUsedGb, sum('diskGb'));
    assert(slop.memoryUsedMb <= slop.total.memoryMb && slop.diskUsedGb <= slop.total.diskGb, 'slop is overcommitted');
    for (const zone of slop.granted.keys())
      assert(this.state.streams.has(zone) || this.resetting.has(zone), `slop of ${zone} is lost`);
  }
}
