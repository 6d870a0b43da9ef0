/**
 * Push, and whether it can be believed: theory of operation.
 *
 * A writer's notification reaches a listener through one connection of many, to a server that may be another one
 * tomorrow, and nobody says when a notification is lost or when listening has begun. So push is believed only as far as
 * it has been seen to work:
 *
 *   a channel:    off --listen--> opening --own probe came back--> live      any --connection lost--> off, listen again
 *   the process:  unproven --echo of a heartbeat--> proven --10 s without an echo--> unproven
 *
 * A probe is a notification that we send ourselves to the channel we listen to; others ignore it. The echo of a
 * heartbeat also proves that the server knows the option `notify` of a batch. When the listener is live but heartbeats
 * are answered without an echo, the server does not know it, and notifications are sent as calls of their own.
 *
 * Invariants: (1) whenever a channel becomes live, and whenever push becomes proven, everything that listens is told
 * to look, so what was written before is found; (2) a lost notification costs one polling interval, never progress.
 */
import type { BucketName } from '../records/buckets.js';
import { backOffMs } from './back-off.js';
import { payloadOf } from './channels.js';
import type { BusContext } from './context.js';

/** After the last echo. Heartbeats come every 3 to 5 s: one may be lost. */
const echoValidMs = 10_000;
const probeEveryMs = 1_000;
/** After a heartbeat was answered; the echo usually comes before the answer. */
const echoGraceMs = 2_000;
const probePrefix = '?';

export interface PushListener {
  /** Records of these buckets were written; null: any may have been, or what we know of push has changed. */
  onWake(buckets: readonly string[] | null): void;
}

export interface Push {
  readonly isProven: boolean;
  /** Whether a notification on any of these channels would arrive. */
  covers(channels: readonly string[]): boolean;
  /** @returns stop function. */
  listen(channels: readonly string[], listener: PushListener): () => void;
  /** Sends the notifications that go with a batch by themselves, if the server does not do it at commit. */
  afterCommit(notifications: readonly Notification[]): void;
  /** Best effort. */
  notify(channel: string, buckets: readonly BucketName[]): void;
  /** A heartbeat with a notification to the own channel was answered. */
  heartbeatAnswered(sentMs: number): void;
  stop(): void;
}

export type Notification = readonly [channel: string, buckets: readonly BucketName[]];

interface Channel {
  readonly name: string;
  readonly listeners: Set<PushListener>;
  isLive: boolean;
  failures: number;
  stop: () => void;
}

export function createPush(context: BusContext, ownChannel: string): Push {
  const { moray, clock, log } = context;
  const channels = new Map<string, Channel>();
  let probes = 0;
  let lastEchoMs: number | null = null;
  let cancelExpiry = () => {};
  let cancelGrace = () => {};
  let sendsSeparately = false;
  let isStopped = false;

  const tellAll = () => {
    const everybody = new Set([...channels.values()].flatMap((channel) => [...channel.listeners]));
    for (const listener of everybody) listener.onWake(null);
  };

  function open(channel: Channel): void {
    if (isStopped || channels.get(channel.name) !== channel) return;
    probes++;
    const probe = `${probePrefix}${probes}.${Math.floor(context.random() * 2 ** 48).toString(36)}`;
    let cancelTimer = () => {};
    let isOver = false;
    const live = () => {
      cancelTimer();
      if (channel.isLive) return;
      channel.isLive = true;
      for (const listener of channel.listeners) listener.onWake(null);
    };
    const ended = (cause: Error | null) => {
      isOver = true;
      cancelTimer();
      channel.isLive = false;
      channel.failures++;
      log.debug({ err: cause, channel: channel.name }, 'listening ended, will listen again');
      if (channel.name === ownChannel) doubt();
      else for (const listener of channel.listeners) listener.onWake(null);
      channel.stop = clock.after(backOffMs(channel.failures), () => open(channel));
    };
    const stopListening = moray.listen(
      channel.name,
      (payload) => {
        channel.failures = 0;
        if (payload === probe) live();
        else if (!payload.startsWith(probePrefix)) arrived(channel, payload);
      },
      ended,
    );
    if (isOver) return;
    channel.stop = () => {
      cancelTimer();
      stopListening();
    };
    const sendProbe = () => {
      send(channel.name, probe);
      cancelTimer = clock.after(probeEveryMs, sendProbe);
    };
    sendProbe();
  }

  function arrived(channel: Channel, payload: string): void {
    if (channel.name === ownChannel) echo();
    const buckets = payload === '' ? null : payload.split(',');
    for (const listener of channel.listeners) listener.onWake(buckets);
  }

  function echo(): void {
    const wasProven = lastEchoMs !== null;
    lastEchoMs = clock.nowMs();
    cancelExpiry();
    cancelExpiry = clock.after(echoValidMs, () => {
      log.warn('no echo of a heartbeat for 10 s: every query runs at its fast rate until it is back');
      doubt();
    });
    cancelGrace();
    if (!wasProven) tellAll();
  }

  function doubt(): void {
    const wasProven = lastEchoMs !== null;
    lastEchoMs = null;
    sendsSeparately = false;
    cancelExpiry();
    if (wasProven) tellAll();
  }

  function send(channel: string, payload: string): void {
    moray.notify(channel, payload).catch((error: unknown) => {
      log.debug({ err: error, channel }, 'notification not sent');
    });
  }

  function join(name: string, listener: PushListener): void {
    let channel = channels.get(name);
    if (channel === undefined) {
      channel = { name, listeners: new Set(), isLive: false, failures: 0, stop: () => {} };
      channels.set(name, channel);
      open(channel);
    }
    channel.listeners.add(listener);
  }

  function leave(name: string, listener: PushListener): void {
    const channel = channels.get(name);
    channel?.listeners.delete(listener);
    if (channel === undefined || channel.listeners.size > 0) return;
    channels.delete(name);
    channel.stop();
  }

  join(ownChannel, { onWake: () => {} });
  return {
    get isProven() {
      return lastEchoMs !== null;
    },
    covers: (names) => lastEchoMs !== null && names.every((name) => channels.get(name)?.isLive === true),
    listen(names, listener) {
      for (const name of names) join(name, listener);
      return () => {
        for (const name of names) leave(name, listener);
      };
    },
    afterCommit(notifications) {
      if (sendsSeparately) for (const [channel, buckets] of notifications) send(channel, payloadOf(buckets));
    },
    notify: (channel, buckets) => send(channel, payloadOf(buckets)),
    heartbeatAnswered(sentMs) {
      const hasEcho = () => lastEchoMs !== null && lastEchoMs >= sentMs;
      if (hasEcho() || channels.get(ownChannel)?.isLive !== true) return;
      cancelGrace();
      cancelGrace = clock.after(echoGraceMs, () => {
        if (!hasEcho()) sendsSeparately = true;
      });
    },
    stop() {
      isStopped = true;
      cancelExpiry();
      cancelGrace();
      for (const channel of channels.values()) channel.stop();
      channels.clear();
    },
  };
}
