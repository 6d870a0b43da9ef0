/**
 * Validation of job definitions. Users have matched on these sentences for ten years, odd grammar included ("a array"),
 * so they are made here and not by a schema validator. Members are checked in the order of the tables and the first
 * problem is the answer.
 */
import semver from 'semver';
import { diskSizesGb, memorySizesMb, phaseTypes, reducerLimit } from '../records/limits.js';

interface Context {
  readonly isPrivileged: boolean;
  /** Versions of the images that zones can have. */
  readonly images: readonly string[];
}

/** Says what is wrong with the value at `path`, as whole sentence; null: nothing. */
type Rule = (value: unknown, path: string, context: Context) => string | null;

interface Member {
  readonly rule: Rule;
  readonly isRequired?: boolean;
  /** Unprivileged users are told that there is no such member. */
  readonly isPrivileged?: boolean;
}

type Members = Readonly<Record<string, Member>>;

const problem = (path: string, reason: string) => `property "${path}": ${reason}`;

const wrongType = (value: unknown, path: string, type: string) =>
  problem(path, `${typeof value} value found, but a ${type} is required`);

const typed =
  (type: 'string' | 'boolean' | 'number'): Rule =>
  (value, path) =>
    typeof value === type ? null : wrongType(value, path, type);

/** The store cannot index a zero byte, and no command line or environment can hold one. */
const storableText: Rule = (value, path) => {
  if (typeof value !== 'string') return wrongType(value, path, 'string');
  return value.includes('\0') ? problem(path, 'must not contain a zero byte') : null;
};

const nonEmptyText: Rule = (value, path) => {
  if (typeof value !== 'string') return wrongType(value, path, 'string');
  return value.length >= 1 ? null : problem(path, 'must be at least 1 characters long');
};

const oneOf =
  (values: readonly (string | number)[]): Rule =>
  (value, path) =>
    values.some((allowed) => allowed === value)
      ? null
      : problem(path, `does not have a value in the enumeration ${values.join(', ')}`);

const allOf =
  (...rules: readonly Rule[]): Rule =>
  (value, path, context) => {
    for (const rule of rules) {
      const found = rule(value, path, context);
      if (found !== null) return found;
    }
    return null;
  };

/** Text of digits has always been taken for the number. */
const wholeNumber =
  ({ minimum, maximum }: { readonly minimum: number; readonly maximum: number }): Rule =>
  (value, path) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number)) return wrongType(value, path, 'integer');
    if (number < minimum) return problem(path, `must have a minimum value of ${minimum}`);
    return number <= maximum ? null : problem(path, `must have a maximum value of ${maximum}`);
  };

const listOf =
  (item: Rule, minimum = 0): Rule =>
  (value, path, context) => {
    if (!Array.isArray(value)) return wrongType(value, path, 'array');
    if (value.length < minimum) return problem(path, `there must be a minimum of ${minimum} in the array`);
    for (const [index, element] of value.entries()) {
      const found = item(element, `${path}[${index}]`, context);
      if (found !== null) return found;
    }
    return null;
  };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const anyObject: Rule = (value, path) => (isObject(value) ? null : wrongType(value, path, 'object'));

const options: Rule = (value, path) => {
  if (!isObject(value)) return wrongType(value, path, 'object');
  for (const name of ['keepIntermediate', 'frequentCheckpoint']) {
    const option = value[name];
    if (option !== undefined && typeof option !== 'boolean') return wrongType(option, `${path}.${name}`, 'boolean');
  }
  return null;
};

const image: Rule = (value, path, { images }) => {
  if (typeof value !== 'string') return wrongType(value, path, 'string');
  if (semver.validRange(value) === null) return problem(path, `invalid semver range: "${value}"`);
  const isOffered = images.some((version) => semver.satisfies(version, value));
  return isOffered ? null : problem(path, `unsupported version: "${value}"`);
};

// biome-ignore format: table
const phaseMembers: Members = {
  type:   { rule: oneOf(phaseTypes) },
  assets: { rule: listOf(storableText) },
  exec:   { rule: allOf(nonEmptyText, storableText), isRequired: true },
  init:   { rule: storableText },
  count:  { rule: wholeNumber({ minimum: 1, maximum: reducerLimit }) },
  memory: { rule: allOf(typed('number'), oneOf(memorySizesMb)) },
  disk:   { rule: allOf(typed('number'), oneOf(diskSizesGb)) },
  image:  { rule: image },
  uarg:   { rule: anyObject },
};

const phase: Rule = (value, path, context) => {
  if (value === null) return problem(path, 'must not be null');
  if (!isObject(value)) return wrongType(value, path, 'object');
  return memberProblem(value, phaseMembers, `${path}.`, context);
};

// biome-ignore format: table
const jobMembers: Members = {
  name:      { rule: storableText, isRequired: true },
  phases:    { rule: listOf(phase, 1), isRequired: true },
  transient: { rule: typed('boolean') },
  options:   { rule: options, isPrivileged: true },
};

/** @returns the first problem, null if there is none. */
export function validateJob(definition: unknown, context: Context): string | null {
  if (definition === null) return 'job must not be null';
  if (!isObject(definition)) return 'job must be an object';
  return memberProblem(definition, jobMembers, '', context);
}

function memberProblem(
  value: Readonly<Record<string, unknown>>,
  members: Members,
  prefix: string,
  context: Context,
): string | null {
  for (const [name, { rule, isRequired = false }] of Object.entries(members)) {
    const member = value[name];
    if (member === undefined) {
      if (isRequired) return problem(prefix + name, 'is missing and it is required');
      continue;
    }
    if (isHidden(members[name], context)) continue;
    const found = rule(member, prefix + name, context);
    if (found !== null) return found;
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(members, name) || isHidden(members[name], context));
  return unknown === undefined ? null : problem(prefix + unknown, 'unsupported property');
}

function isHidden(member: Member | undefined, { isPrivileged }: Context): boolean {
  return member?.isPrivileged === true && !isPrivileged;
}
