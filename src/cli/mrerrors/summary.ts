/** The summary as `mrerrors` and `mrerrorsummary` print it. */
import { type ErrorKinds, type ErrorSummary, totalOf } from '../../jobs/error-summary.js';

export function summaryLines({ counts, final, retried }: ErrorSummary): readonly string[] {
  const count = (number: number, label: string) => `${String(number).padStart(9)} ${label}`;
  return [
    'Failures by count',
    count(counts.final, 'non-retried errors'),
    count(counts.retried, 'retries'),
    count(counts.unclassified, 'unclassified errors'),
    '',
    'Non-retried errors',
    ...kindLines(final),
    '',
    'Retried errors',
    ...kindLines(retried),
  ];
}

function kindLines(kinds: ErrorKinds): readonly string[] {
  return sorted(kinds).flatMap(([code, messages]) => [
    `${String(totalOf(messages)).padStart(6)}  ${code}`,
    ...sorted(messages).map(([message, count]) => `${String(count).padStart(12)}  ${message}`),
  ]);
}

function sorted<Value>(entries: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function summaryJson({ counts, final, retried }: ErrorSummary): object {
  const kinds = (entries: ErrorKinds) =>
    Object.fromEntries(sorted(entries).map(([code, messages]) => [code, Object.fromEntries(sorted(messages))]));
  return { counts, final: kinds(final), retried: kinds(retried) };
}
