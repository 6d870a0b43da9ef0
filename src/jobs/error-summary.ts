/**
 * Errors by code and message. Messages name objects, so that each would be its own kind: what varies is replaced by dots
 * first. Source: spec 08 §8.4.
 */
import { isTrue } from '../records/flags.js';

/** What is read of an error record. */
export interface ErrorLike {
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly errorMessageInternal?: string;
  readonly input?: string;
  readonly retried?: unknown;
}

/** Number of errors by code, then by message. */
export type ErrorKinds = Map<string, Map<string, number>>;

export interface ErrorSummary {
  readonly retried: ErrorKinds;
  readonly final: ErrorKinds;
  counts: { retried: number; final: number; unclassified: number };
}

export function newErrorSummary(): ErrorSummary {
  return { retried: new Map(), final: new Map(), counts: { retried: 0, final: 0, unclassified: 0 } };
}

export function addError(summary: ErrorSummary, error: ErrorLike): void {
  const isRetried = isTrue(error.retried);
  const isFinal = String(error.retried).toLowerCase() === 'false';
  if (!isRetried && !isFinal) {
    summary.counts.unclassified++;
    return;
  }
  summary.counts[isRetried ? 'retried' : 'final']++;
  const kinds = isRetried ? summary.retried : summary.final;
  const code = error.errorCode ?? 'unknown';
  const messages = kinds.get(code) ?? new Map<string, number>();
  kinds.set(code, messages);
  const message = normalised(error);
  messages.set(message, (messages.get(message) ?? 0) + 1);
}

export function totalOf(messages: ReadonlyMap<string, number>): number {
  return [...messages.values()].reduce((total, count) => total + count, 0);
}

/** The message without what differs from one error of its kind to the next. */
export function normalised({ errorCode, errorMessage = '', errorMessageInternal, input }: ErrorLike): string {
  if (errorCode === 'ResourceNotFoundError' && errorMessage.startsWith('failed to load object')) {
    return 'failed to load object ... ';
  }
  let message = errorMessageInternal ? `${errorMessage} (INTERNAL)` : errorMessage;
  if (input) message = message.replace(input, () => '...');
  if (errorCode !== 'TaskInitError') return message;
  return message.replace(/(error retrieving asset) "[^"]*"/, '$1 "..."').replace(/first of \d+ errors?: /, '... ');
}
