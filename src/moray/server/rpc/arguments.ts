/**
 * Checks of RPC arguments. Clients and tests compare the texts, which say what was expected of which argument and what
 * is wrong with it: `putObject expects "key" (args[1]) to be a nonempty string: key should be string`.
 */
import { MorayError } from '../errors.js';
import { optionsProblem, type Problem, requestsProblem } from './options.js';

export interface ArgumentType {
  readonly description: string;
  readonly problem: (value: unknown, path: string) => Problem;
}

export interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
}

const nonemptyString: ArgumentType = {
  description: 'a nonempty string',
  problem(value, path) {
    if (typeof value !== 'string') return `${path} should be string`;
    return value === '' ? `${path} should NOT be shorter than 1 characters` : null;
  },
};

const nonnegativeInteger: ArgumentType = {
  description: 'a nonnegative integer',
  problem(value, path) {
    if (!Number.isInteger(value)) return `${path} should be integer`;
    return Number(value) < 0 ? `${path} should be >= 0` : null;
  },
};

const object: ArgumentType = {
  description: 'an object',
  problem(value, path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${path} should be object`;
    return Object.hasOwn(value, 'hasOwnProperty') ? `${path}.hasOwnProperty should NOT be valid` : null;
  },
};

const array: ArgumentType = {
  description: 'an array',
  problem: (value, path) => (Array.isArray(value) ? null : `${path} should be array`),
};

const options: ArgumentType = { description: 'a valid options object', problem: optionsProblem };

const requests: ArgumentType = { description: 'an array of valid request objects', problem: requestsProblem };

export const argument = {
  string: (name: string): Argument => ({ name, type: nonemptyString }),
  integer: (name: string): Argument => ({ name, type: nonnegativeInteger }),
  object: (name: string): Argument => ({ name, type: object }),
  array: (name: string): Argument => ({ name, type: array }),
  options: { name: 'options', type: options } as Argument,
  requests: { name: 'requests', type: requests } as Argument,
};

/** @throws MorayError `InvocationError` for the first that does not fit. */
export function checkArguments(method: string, expected: readonly Argument[], given: readonly unknown[]): void {
  if (given.length !== expected.length) {
    const plural = expected.length === 1 ? '' : 's';
    throw new MorayError('InvocationError', `${method} expects ${expected.length} argument${plural}`);
  }
  for (const [position, { name, type }] of expected.entries()) {
    const problem = type.problem(given[position], name);
    if (problem === null) continue;
    const text = `${method} expects "${name}" (args[${position}]) to be ${type.description}: ${problem}`;
    throw new MorayError('InvocationError', text);
  }
}
