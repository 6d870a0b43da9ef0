/** The report of activity, as text. */
import { type Activity, addKinds, type Kinds } from './activity.js';

interface Options {
  readonly byUser: boolean;
  readonly warn: (line: string) => void;
}

interface UserSum {
  readonly login: string;
  tasks: number;
  errors: number;
  retries: number;
  readonly fatal: Kinds;
  readonly retried: Kinds;
}

const width = 8;
const counted = (count: number, text: string) => `  ${String(count).padStart(width)} ${text}`;
const total = (messages: Readonly<Record<string, number>>) =>
  Object.values(messages).reduce((sum, count) => sum + count, 0);
const totalOf = (kinds: Kinds) => Object.values(kinds).reduce((sum, messages) => sum + total(messages), 0);

export function* reportLines(activity: Activity, { byUser, warn }: Options): Generator<string> {
  const users = sums(activity, warn);
  const counts = { ok: 0, retryable: 0, fatal: 0 };
  for (const task of Object.values(activity.tasks)) {
    counts.ok += task.ok;
    counts.retryable += task.retryable;
    counts.fatal += task.fatal;
  }
  const [fatal, retried]: [Kinds, Kinds] = [{}, {}];
  for (const kinds of Object.values(activity.errors)) {
    addKinds(fatal, kinds.fatal ?? {});
    addKinds(retried, kinds.retried ?? {});
  }
  yield 'SUMMARY';
  yield counted(counts.ok + counts.retryable + counts.fatal, 'total tasks');
  yield counted(counts.ok, '    tasks ok');
  yield counted(counts.retryable, '    tasks failed that could be retried');
  yield counted(counts.fatal, '    tasks failed with non-retryable errors');
  yield counted(totalOf(fatal), 'total errors');
  yield counted(totalOf(retried), 'total retries');
  yield '';
  for (const [title, kinds] of [
    ['ERRORS BY CAUSE', fatal],
    ['RETRIES BY CAUSE', retried],
  ] as const) {
    if (totalOf(kinds) === 0) continue;
    yield title;
    yield* causeLines(kinds);
    yield '';
  }
  yield 'SUMMARY BY USER';
  for (const user of users) yield userLine(user);
  if (!byUser) return;
  yield '';
  yield 'ERROR DETAILS BY USER';
  for (const user of users) {
    yield userLine(user);
    if (user.errors === 0) continue;
    yield* causeLines(user.fatal);
    yield '';
  }
}

function* causeLines(kinds: Kinds): Generator<string> {
  const codes = Object.entries(kinds).sort(([, a], [, b]) => total(b) - total(a));
  for (const [code, messages] of codes) {
    yield counted(total(messages), code.padEnd(24));
    const rows = Object.entries(messages).sort(([, a], [, b]) => b - a);
    for (const [message, count] of rows) yield counted(count, `    ${message}`);
  }
}

function userLine({ login, tasks, retries, errors }: UserSum): string {
  const count = (number: number) => String(number).padStart(6);
  return `${login.padEnd(30)} ${count(tasks)} tasks ${count(retries)} retries ${count(errors)} errors`;
}

function sums(activity: Activity, warn: (line: string) => void): readonly UserSum[] {
  const byOwner = new Map<string, UserSum>();
  const userOf = (jobId: string, what: string): UserSum | undefined => {
    const owner = activity.jobs[jobId];
    if (owner === undefined) {
      warn(`warn: ${what} info for unknown job: "${jobId}"`);
      return undefined;
    }
    const login = activity.users[owner] ?? owner;
    const user = byOwner.get(owner) ?? { login, tasks: 0, errors: 0, retries: 0, fatal: {}, retried: {} };
    byOwner.set(owner, user);
    return user;
  };
  for (const [jobId, { ok, retryable, fatal }] of Object.entries(activity.tasks)) {
    const user = userOf(jobId, ' task');
    if (user !== undefined) user.tasks += ok + retryable + fatal;
  }
  for (const [jobId, { fatal = {}, retried = {} }] of Object.entries(activity.errors)) {
    const user = userOf(jobId, 'error');
    if (user === undefined) continue;
    user.errors += totalOf(fatal);
    user.retries += totalOf(retried);
    addKinds(user.fatal, fatal);
    addKinds(user.retried, retried);
  }
  return [...byOwner.values()].sort((a, b) => b.tasks - a.tasks);
}
