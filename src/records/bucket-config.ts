/**
 * What a bucket is to Moray: the version of its schema, its indexed fields, and how it is searched.
 */

export interface IndexedField {
  readonly type: 'string' | 'number' | 'boolean';
  readonly unique?: boolean;
}

/**
 * A way in which records of a bucket are searched often. A store that knows the option keeps one index per access path
 * (over `fields`, in this order) in place of one per field; for records that lack a field of `present`, or have one of
 * `absent`, the index has no entry, so that an access path for a rare state costs nothing in the common ones. Every
 * filter that is meant to use it says the same. A store that does not know the option keeps one index per field.
 */
export interface AccessPath {
  readonly fields: readonly string[];
  readonly present?: readonly string[];
  readonly absent?: readonly string[];
}

export interface BucketConfig {
  readonly index: Readonly<Record<string, IndexedField>>;
  readonly options: { readonly version: number; readonly accessPaths?: readonly AccessPath[] };
}

/** An index of strings, but for the fields named in `others`. */
export function indexOf(
  strings: readonly string[],
  others: Readonly<Record<string, IndexedField>> = {},
): BucketConfig['index'] {
  return { ...others, ...Object.fromEntries(strings.map((field) => [field, { type: 'string' } as const])) };
}
