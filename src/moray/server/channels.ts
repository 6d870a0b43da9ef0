/**
 * Notifications: who listens to what. Nothing is stored; without a listener nothing is delivered. The rules are
 * PostgreSQL's: names shorter than 64 bytes, payloads shorter than 8000, equal ones of a transaction delivered once.
 */

import type { Notification } from './engines/engine.js';
import { database } from './errors.js';

export interface Channels {
  /** @param id names the listener to `unlisten`, from any connection. @returns its end. */
  listen(id: string, channel: string, listener: Listener): () => void;
  /** Unknown ids are no failure. */
  unlisten(id: string): void;
  deliver(notifications: readonly Notification[]): void;
  readonly listenerCount: () => number;
}

export interface Listener {
  onNotification(notification: Notification): void;
  /** Called once, when listening ends by `unlisten` or by the function that `listen` returned. */
  onEnd(): void;
}

const maxChannelBytes = 63;
const maxPayloadBytes = 7999;

/** @throws `error`, as PostgreSQL says it. */
export function checkNotification({ channel, payload }: Notification): void {
  if (channel === '') throw database('channel name cannot be empty');
  if (Buffer.byteLength(channel) > maxChannelBytes) throw database('channel name too long');
  if (Buffer.byteLength(payload) > maxPayloadBytes) throw database('payload string too long');
}

interface Entry {
  readonly listener: Listener;
  readonly end: () => void;
}

export function createChannels(): Channels {
  const byChannel = new Map<string, Set<Entry>>();
  const byId = new Map<string, Set<Entry>>();

  return {
    listen(id, channel, listener) {
      let over = false;
      const entry: Entry = {
        listener,
        end() {
          if (over) return;
          over = true;
          removeFrom(byChannel, channel, entry);
          removeFrom(byId, id, entry);
          listener.onEnd();
        },
      };
      addTo(byChannel, channel, entry);
      addTo(byId, id, entry);
      return entry.end;
    },
    unlisten(id) {
      for (const entry of [...(byId.get(id) ?? [])]) entry.end();
    },
    deliver(notifications) {
      const delivered = new Set<string>();
      for (const notification of notifications) {
        const text = JSON.stringify([notification.channel, notification.payload]);
        if (delivered.has(text)) continue;
        delivered.add(text);
        for (const { listener } of byChannel.get(notification.channel) ?? []) listener.onNotification(notification);
      }
    },
    listenerCount: () => [...byChannel.values()].reduce((sum, entries) => sum + entries.size, 0),
  };
}

function addTo(map: Map<string, Set<Entry>>, name: string, entry: Entry): void {
  const entries = map.get(name) ?? new Set();
  map.set(name, entries.add(entry));
}

function removeFrom(map: Map<string, Set<Entry>>, name: string, entry: Entry): void {
  const entries = map.get(name);
  entries?.delete(entry);
  if (entries?.size === 0) map.delete(name);
}
