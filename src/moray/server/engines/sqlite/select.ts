/** The statement that selects the rows of a search. */
import { type Bucket, isInternal } from '../../buckets/bucket.js';
import type { Encoded } from '../../buckets/index-types.js';
import { database, plain } from '../../errors.js';
import type { Selection, SortKey } from '../../query.js';
import type { Condition } from './compile.js';
import { identifier } from './sql.js';

export interface SelectStatement {
  readonly sql: string;
  readonly parameters: readonly Encoded[];
}

/** @throws `error`, as the original's database, for an unknown attribute to sort by. */
export function selectStatement(
  columns: string,
  bucket: Bucket,
  condition: Condition,
  selection: Selection,
): SelectStatement {
  const { sort, limit, offset } = selection;
  const order = sort.length === 0 ? '' : ` ORDER BY ${sort.map((key) => orderTerm(key, bucket)).join(', ')}`;
  const bounded = limit !== null || offset > 0;
  return {
    sql: `SELECT ${columns} FROM ${bucket.table} WHERE ${condition.sql}${order}${bounded ? ' LIMIT ? OFFSET ?' : ''}`,
    parameters: bounded ? [...condition.parameters, limit ?? -1, offset] : condition.parameters,
  };
}

/** Missing values come last ascending, first descending. */
function orderTerm({ attribute, descending }: SortKey, bucket: Bucket): string {
  if (attribute === '_idx') throw plain('sorting on "_idx" is not allowed');
  const direction = descending ? 'DESC' : 'ASC';
  if (isInternal(attribute)) return `${identifier(attribute)} ${direction}`;
  if (bucket.field(attribute) === undefined) throw database(`column "${attribute}" does not exist`);
  return `${identifier(attribute)} ${direction} NULLS ${descending ? 'FIRST' : 'LAST'}`;
}
