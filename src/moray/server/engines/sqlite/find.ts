/**
 * Searches: planned where the configuration of buckets is known, run on a reader's own connection. What a plan holds can
 * be sent to another thread. Count and rows come from one snapshot; the count is only taken when the rows do not tell.
 */
import type { Bucket } from '../../buckets/bucket.js';
import { internalFields } from '../../buckets/bucket.js';
import { type Encoded, indexType } from '../../buckets/index-types.js';
import { matches } from '../../filters/match.js';
import type { Filter, ParsedFilter } from '../../filters/parse.js';
import { type RequestOptions, selectionOf } from '../../query.js';
import { compileFilter } from './compile.js';
import type { Connection } from './database.js';
import { objectJson, readRow, rowColumns, type StoredObject } from './rows.js';
import { selectStatement } from './select.js';

export interface FindPlan {
  readonly bucket: string;
  readonly sql: string;
  readonly parameters: readonly Encoded[];
  readonly countSql: string;
  readonly countParameters: readonly Encoded[];
  readonly wantsCount: boolean;
  readonly limit: number | null;
  readonly offset: number;
  /** Fields whose columns overlay the value, and their types. */
  readonly overlay: readonly { readonly name: string; readonly typeText: string }[];
  /** The whole filter, if the database cannot test all of it. */
  readonly residual: Filter | null;
  /** Types of all attributes that have one. */
  readonly types: Readonly<Record<string, string>>;
}

export function planFind(bucket: Bucket, filter: ParsedFilter, options: RequestOptions): FindPlan {
  const condition = compileFilter(filter, bucket);
  const selection = selectionOf(options);
  const readable = bucket.fields.filter((field) => !field.reindexing);
  const select = selectStatement(rowColumns(readable), bucket, condition, selection);
  return {
    bucket: bucket.name,
    sql: select.sql,
    parameters: select.parameters,
    countSql: `SELECT count(*) FROM ${bucket.table} WHERE ${condition.sql}`,
    countParameters: condition.parameters,
    wantsCount: options['no_count'] !== true,
    limit: selection.limit,
    offset: selection.offset,
    overlay: readable.map(({ name, typeText }) => ({ name, typeText })),
    residual: condition.exact ? null : filter.root,
    types: Object.fromEntries(bucket.fields.map(({ name, typeText }) => [name, typeText])),
  };
}

/** For `sql_only`. */
export function describePlan(plan: FindPlan): object {
  const count = plan.wantsCount ? { count: plan.countSql } : {};
  return { ...count, query: plan.sql, args: plan.parameters };
}

/** @returns the objects as JSON texts. */
export function runFind(connection: Connection, plan: FindPlan): readonly string[] {
  connection.statement('BEGIN').run();
  try {
    const rows = connection.statement(plan.sql).all(...plan.parameters);
    const count = plan.wantsCount && rows.length > 0 ? countOf(connection, plan, rows.length) : undefined;
    const overlay = plan.overlay.map(({ name, typeText }) => ({ name, type: indexType(typeText) }));
    const jsons: string[] = [];
    for (const row of rows) {
      const object = readRow(row, overlay);
      if (plan.residual !== null && !matchesResidual(plan, plan.residual, object)) continue;
      hideInternalMembers(object.value);
      jsons.push(objectJson(plan.bucket, object, count));
    }
    return jsons;
  } finally {
    connection.statement('COMMIT').run();
  }
}

function countOf(connection: Connection, plan: FindPlan, rowCount: number): number {
  const isAll = plan.offset === 0 && (plan.limit === null || rowCount < plan.limit);
  if (isAll) return rowCount;
  return Number(connection.statement(plan.countSql).get(...plan.countParameters)?.[0] ?? 0);
}

function matchesResidual(plan: FindPlan, filter: Filter, object: StoredObject): boolean {
  const { value, id, key, etag, mtimeMs, serial } = object;
  const visible = { ...value, _id: id, _key: key, _etag: etag, _mtime: mtimeMs, _txn_snap: serial };
  return matches(filter, visible, (attribute) => {
    const typeText = Object.hasOwn(plan.types, attribute) ? plan.types[attribute] : internalFields[attribute];
    return typeText === undefined ? undefined : indexType(typeText);
  });
}

/** Members of a value that look like the object's own are not shown by searches. */
function hideInternalMembers(value: Record<string, unknown>): void {
  for (const name of [...Object.keys(internalFields), '_count']) delete value[name];
}
