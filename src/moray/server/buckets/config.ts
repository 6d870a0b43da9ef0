/**
 * Configuration of a bucket: what may be asked for, checked in the order of the original, since its tests compare
 * messages. JavaScript triggers are refused rather than ignored: somebody would rely on them.
 */
import { bucketVersion, invalidBucketConfig, invalidBucketName, notFunction } from '../errors.js';
import { indexTypeNames, unsupportedTypes } from './index-types.js';

export interface FieldDefinition {
  readonly type: string;
  readonly unique?: boolean;
}

export interface AccessPath {
  readonly fields: readonly string[];
  readonly present?: readonly string[];
  readonly absent?: readonly string[];
}

export interface BucketOptions {
  readonly version?: number;
  readonly guaranteeOrder?: boolean;
  readonly countBy?: { readonly bucket: string; readonly attribute: string };
  readonly accessPaths?: readonly AccessPath[];
}

/** With defaults filled in. `options` keeps members that nobody here knows. */
export interface BucketConfig {
  readonly index: Readonly<Record<string, FieldDefinition>>;
  readonly options: BucketOptions & Readonly<Record<string, unknown>>;
}

const reservedBuckets: readonly string[] = ['buckets_config', 'moray', 'search'];
const reservedFields: readonly string[] = [
  '_etag',
  '_id',
  '_idx',
  '_key',
  '_atime',
  '_ctime',
  '_mtime',
  '_rver',
  '_txn_snap',
  '_value',
  '_vnode',
];

/** @throws InvalidBucketConfigError, InvalidBucketNameError, NotFunctionError */
export function checkBucketConfig(name: string, given: Readonly<Record<string, unknown>>): BucketConfig {
  const index = checkIndex(given['index'] ?? {});
  const triggers = { pre: given['pre'] ?? [], post: given['post'] ?? [] };
  for (const [member, value] of Object.entries(triggers)) {
    if (!Array.isArray(value)) throw invalidBucketConfig(`bucket.${member} should be array`);
  }
  const options = checkOptions(given['options'] ?? {}, index);
  checkBucketName(name);
  for (const [member, value] of [
    ['post', triggers.post],
    ['pre', triggers.pre],
  ] as const) {
    if (Array.isArray(value) && value.length > 0) throw notFunction(`${member} (this server runs no triggers)`);
  }
  for (const field of Object.keys(index)) checkFieldName(field);
  return { index, options };
}

/** @throws InvalidBucketNameError */
export function checkBucketName(name: string): void {
  if (!/^[a-zA-Z]\w{0,62}$/.test(name) || isReservedBucket(name)) throw invalidBucketName(name);
}

export function isReservedBucket(name: string): boolean {
  return reservedBuckets.includes(name);
}

/** @throws BucketVersionError unless the stored configuration may be replaced by one of this version. */
export function checkVersion(name: string, stored: number, requested: number): void {
  if (stored !== 0 && stored >= requested) throw bucketVersion(name, requested, stored);
}

function checkIndex(given: unknown): BucketConfig['index'] {
  if (!isObject(given)) throw invalidBucketConfig('bucket.index should be object');
  for (const [field, definition] of Object.entries(given)) {
    const path = `bucket.index${member(field)}`;
    if (!isObject(definition)) throw invalidBucketConfig(`${path} should be object`);
    const extra = Object.keys(definition).find((key) => key !== 'type' && key !== 'unique');
    if (extra !== undefined) throw invalidBucketConfig(`${path} should NOT have additional properties`);
    const { type, unique } = definition;
    if (type === undefined) throw invalidBucketConfig(`${path} should have required property 'type'`);
    if (typeof type !== 'string') throw invalidBucketConfig(`${path}.type should be string`);
    if (!indexTypeNames.includes(type)) {
      const allowed = indexTypeNames.map((name) => `"${name}"`).join(', ');
      throw invalidBucketConfig(`${path}.type should be equal to one of the allowed values (${allowed})`);
    }
    if (unsupportedTypes.includes(type)) {
      throw invalidBucketConfig(`${path}.type "${type}" is not supported by this server`);
    }
    if (unique !== undefined && typeof unique !== 'boolean') {
      throw invalidBucketConfig(`${path}.unique should be boolean`);
    }
  }
  return given as BucketConfig['index'];
}

function checkOptions(given: unknown, index: BucketConfig['index']): BucketConfig['options'] {
  if (!isObject(given)) throw invalidBucketConfig('bucket.options should be object');
  const { version, accessPaths, countBy } = given;
  if (version !== undefined && version !== null) {
    if (!Number.isInteger(version)) throw invalidBucketConfig('bucket.options.version should be integer');
    if (Number(version) < 0) throw invalidBucketConfig('bucket.options.version should be >= 0');
  }
  for (const name of ['guaranteeOrder', 'syncUpdates']) {
    const value = given[name];
    if (value !== undefined && typeof value !== 'boolean') {
      throw invalidBucketConfig(`bucket.options.${name} should be boolean`);
    }
  }
  if ('trackModification' in given) throw invalidBucketConfig('"trackModification" is no longer supported');
  if (accessPaths !== undefined) checkAccessPaths(accessPaths, index);
  if (countBy !== undefined) checkCountBy(countBy, index);
  return { ...given, version: Number(version ?? 0) } as BucketConfig['options'];
}

function checkAccessPaths(given: unknown, index: BucketConfig['index']): void {
  if (!Array.isArray(given)) throw invalidBucketConfig('bucket.options.accessPaths should be array');
  given.forEach((path: unknown, position) => {
    const where = `bucket.options.accessPaths[${position}]`;
    if (!isObject(path)) throw invalidBucketConfig(`${where} should be object`);
    for (const list of ['fields', 'present', 'absent']) {
      const names = path[list] ?? (list === 'fields' ? undefined : []);
      if (!Array.isArray(names)) throw invalidBucketConfig(`${where}.${list} should be array`);
      for (const name of names) {
        const known =
          (list === 'fields' && (name === '_id' || name === '_mtime')) || Object.hasOwn(index, String(name));
        if (!known) throw invalidBucketConfig(`${where}.${list} names "${String(name)}", which is not indexed`);
      }
      if (list === 'fields' && names.length === 0) throw invalidBucketConfig(`${where}.fields should not be empty`);
    }
  });
}

function checkCountBy(given: unknown, index: BucketConfig['index']): void {
  const where = 'bucket.options.countBy';
  if (!isObject(given)) throw invalidBucketConfig(`${where} should be object`);
  const { bucket, attribute } = given;
  if (typeof bucket !== 'string') throw invalidBucketConfig(`${where}.bucket should be string`);
  checkBucketName(bucket);
  const definition = typeof attribute === 'string' ? index[attribute] : undefined;
  if (definition?.type !== 'string')
    throw invalidBucketConfig(`${where}.attribute should name an index of type string`);
}

function checkFieldName(name: string): void {
  if (reservedFields.includes(name.toLowerCase())) {
    throw invalidBucketConfig(`index name "${name}" is reserved for use by Moray`);
  }
  if (/^_*moray/i.test(name)) throw invalidBucketConfig(`index names cannot start with "moray": "${name}"`);
  if (!/^(_[a-zA-Z0-9]+|[a-zA-Z]([a-zA-Z0-9_]*[a-zA-Z0-9])?)$/.test(name)) {
    throw invalidBucketConfig(`invalid index name "${name}"`);
  }
}

function member(name: string): string {
  return /^[a-zA-Z_$][\w$]*$/.test(name) ? `.${name}` : `['${name}']`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
