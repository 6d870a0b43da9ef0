/**
 * From rows to objects. What is stored is the value as it was put; the columns of its indexed fields overlay it when it
 * is read: an update of many objects changes columns only, and a boolean in a text index reads back as text.
 */
import { decodeValue, type Encoded, type IndexType } from '../../buckets/index-types.js';
import { identifier } from './sql.js';

/** A field whose column decides. */
export interface OverlayField {
  readonly name: string;
  readonly type: IndexType;
}

const ownColumns: readonly string[] = ['_id', '_key', '_value', '_etag', '_mtime', '_txn_snap'];

export function rowColumns(fields: readonly { readonly name: string }[]): string {
  return [...ownColumns, ...fields.map(({ name }) => identifier(name))].join(', ');
}

export interface StoredObject {
  readonly id: number;
  readonly key: string;
  readonly etag: string;
  readonly mtimeMs: number;
  readonly serial: number | null;
  readonly value: Record<string, unknown>;
}

/** @param row with the columns of `rowColumns(fields)`. */
export function readRow(row: readonly unknown[], fields: readonly OverlayField[]): StoredObject {
  const [id, key, json, etag, mtime, serial] = row;
  const value: Record<string, unknown> = JSON.parse(String(json));
  for (const [position, field] of fields.entries()) {
    overlay(value, field, row[ownColumns.length + position] as Encoded | null);
  }
  return {
    id: Number(id),
    key: String(key),
    etag: String(etag),
    mtimeMs: Number(mtime),
    serial: serial === null ? null : Number(serial),
    value,
  };
}

function overlay(value: Record<string, unknown>, field: OverlayField, encoded: Encoded | null): void {
  const member = value[field.name];
  if (encoded === null) {
    if (member !== null) delete value[field.name];
    return;
  }
  if (Array.isArray(member) && !field.type.isArray) return;
  value[field.name] = decodeValue(field.type, encoded);
}

/** @param count of matches; null as for a single object, undefined to leave it out. */
export function objectJson(bucket: string, object: StoredObject, count: number | null | undefined): string {
  return JSON.stringify({
    bucket,
    key: object.key,
    value: object.value,
    _id: object.id,
    _etag: object.etag,
    _mtime: object.mtimeMs,
    _txn_snap: object.serial,
    _count: count,
  });
}
