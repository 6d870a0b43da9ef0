/** The errors that clients see: they match on `name`, and Marlin reads `context` of conflicts. */
import { inspect } from 'node:util';

/** An error for the wire: `context` and `info` are sent along. */
export class MorayError extends Error {
  override readonly name: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly info: Readonly<Record<string, unknown>>;

  constructor(name: string, message: string, more: { context?: object; info?: object } = {}) {
    super(message);
    this.name = name;
    this.context = { ...more.context };
    this.info = { ...more.info };
  }
}

/** The database cannot be written now, and may be later: by this name clients know that they are to come again. */
export const databaseAway = (message: string) => new MorayError('NoDatabasePeersError', message);

export const bucketNotFound = (bucket: string) => new MorayError('BucketNotFoundError', `${bucket} does not exist`);

export const bucketConflict = (bucket: string) =>
  new MorayError('BucketConflictError', `${bucket} was likely being concurrently updated`);

export const bucketVersion = (bucket: string, requested: number, stored: number) =>
  new MorayError('BucketVersionError', `${bucket} has a newer version than ${requested} (${stored})`);

export const invalidBucketConfig = (detail: string) => new MorayError('InvalidBucketConfigError', detail);

export const invalidBucketName = (bucket: string) =>
  new MorayError('InvalidBucketNameError', `${bucket} is not a valid bucket name`);

export const notFunction = (what: string) => new MorayError('NotFunctionError', `${what} must be [Function]`);

export const objectNotFound = (bucket: string, key: string) =>
  new MorayError('ObjectNotFoundError', `${bucket}::${key} does not exist`);

interface EtagConflict {
  readonly bucket: string;
  readonly key: string;
  readonly expected: string | null;
  readonly actual: string | null;
}

export function etagConflict({ bucket, key, expected, actual }: EtagConflict): MorayError {
  const context = { bucket, key, expected: expected ?? 'null', actual: actual ?? 'null' };
  const text = `${bucket}::${key} was expected to have etag "${context.expected}", but was "${context.actual}"`;
  return new MorayError('EtagConflictError', text, { context });
}

export const uniqueAttribute = (attribute: string, value: unknown) =>
  new MorayError('UniqueAttributeError', `"${attribute}" is a unique attribute; value "${value}" already exists`);

export const invalidIndexType = (field: string, type: string) =>
  new MorayError('InvalidIndexTypeError', `index(${field}) is of type ${type}`);

export const notNullable = (field: string, type: string) =>
  new MorayError('NotNullableError', `index "${field}" (of type "${type}") cannot store null values`);

export const fieldUpdate = (fields: object) =>
  new MorayError('FieldUpdateError', `${inspect(fields)} is not a valid update definition`);

export const invalidQuery = (filter: string) => new MorayError('InvalidQueryError', `${filter} is an invalid filter`);

/** The long form, with the fields at fault, when use of an index was demanded. */
export function notIndexed(
  bucket: string,
  filter: string,
  fields?: { readonly reindexing: readonly string[]; readonly unindexed: readonly string[] },
): MorayError {
  const text = `${bucket} does not have indexes that support ${filter}`;
  const long =
    fields === undefined
      ? ''
      : `. Reindexing fields: ${inspect(fields.reindexing)}. Unindexed fields: ${inspect(fields.unindexed)}`;
  return new MorayError('NotIndexedError', text + long);
}

export const queryTimeout = (sql: string) => new MorayError('QueryTimeoutError', `query timeout: ${sql}`);

export const internal = (text: string) => new MorayError('InternalError', text);

/** Plain errors of the original, which clients match by their text. */
export const plain = (text: string) => new MorayError('Error', text);

/** What the database said, as the original passes it on. */
export const database = (text: string) => new MorayError('error', text);
