/**
 * Names come in time, or not at all. Storage nodes remove bytes that nothing names: a day after they were stored, or a
 * quarter of an hour after their last name went (storage/removal.ts). A front door may be stopped between the bytes and
 * the entry, by a debugger, a suspended machine, a full disk, and go on much later: the entry would name bytes that are
 * gone, and be acknowledged. So whoever gives bytes a name remembers when it knew them to be there, and looks at the
 * clock in the very step that sends the entry.
 */
import VError from 'verror';

export interface Deadline {
  /** Not after the last byte was sent, or a name was read that the bytes had. */
  readonly sinceMs: number;
  readonly withinMs: number;
}

/** @throws VError `EntryTooLateError`. */
export function assertInTime({ sinceMs, withinMs }: Deadline, nowMs: number): void {
  if (nowMs - sinceMs <= withinMs) return;
  const text = 'the bytes may be gone: they were known to be there %d ms ago, and may be named for %d ms';
  throw new VError({ name: 'EntryTooLateError' }, text, nowMs - sinceMs, withinMs);
}
