/**
 * Configuration files: one schema per service gives types, defaults, checks and the reference page. What is wrong is
 * named by file, key and value; unknown keys are allowed (another version may know them) and reported.
 */
import fs from 'node:fs';
import type { FromSchema, JSONSchema } from 'json-schema-to-ts';
import VError from 'verror';
import { configAjv, type ErrorObject } from './schema.js';

/**
 * Reads, checks, fills in defaults and freezes.
 * @param onUnknownKey is told the path of every key that the schema does not know.
 * @throws VError `ConfigError`.
 */
export function loadConfig<const S extends JSONSchema>(
  file: string,
  schema: S,
  onUnknownKey: (path: string) => void = () => {},
): FromSchema<S> {
  let value: unknown;
  try {
    value = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new VError({ name: 'ConfigError', cause: error as Error }, 'cannot read configuration "%s"', file);
  }
  const validate = configAjv.compile(schema as object);
  if (!validate(value)) {
    const problems = (validate.errors ?? []).filter(isWhole).map(describe).join('; ');
    throw new VError({ name: 'ConfigError' }, 'configuration "%s": %s', file, problems);
  }
  for (const path of unknownKeys(value, schema as SchemaNode, '')) onUnknownKey(path);
  return deepFreeze(value) as FromSchema<S>;
}

/** What each alternative lacks is said once, with all of them. */
function isWhole({ schemaPath }: ErrorObject): boolean {
  return !schemaPath.includes('/oneOf/');
}

function describe(error: ErrorObject): string {
  const key = error.instancePath.replaceAll('/', '.').slice(1) || 'the file';
  if (error.keyword === 'oneOf') {
    const alternatives = error.schema as readonly { readonly required: readonly string[] }[];
    const names = alternatives.flatMap(({ required }) => required).map((name) => `"${name}"`);
    return `${key}: must have just one of the properties ${names.join(', ')}`;
  }
  if (error.keyword === 'required') return `${key}: ${error.message}`;
  if (error.keyword === 'enum') {
    const { allowedValues } = error.params as { readonly allowedValues: readonly unknown[] };
    const values = allowedValues.map((value) => JSON.stringify(value)).join(', ');
    return `${key}: must be one of ${values}, is ${JSON.stringify(error.data)}`;
  }
  return `${key}: ${error.message}, is ${JSON.stringify(error.data)}`;
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

function* unknownKeys(value: unknown, schema: SchemaNode, path: string): Generator<string> {
  if (schema.properties === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [key, member] of Object.entries(value)) {
    const known = schema.properties[key];
    if (known === undefined) yield path + key;
    else yield* unknownKeys(member, known, `${path}${key}.`);
  }
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
