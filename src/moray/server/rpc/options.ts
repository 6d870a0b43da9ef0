/** The options that every RPC takes, and the requests of a batch. Unknown members are for other servers: ignored. */

/** What is wrong, beginning with the path of the member; null if nothing is. */
export type Problem = string | null;

type Check = (value: unknown, path: string) => Problem;

const uuidPattern = /^(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const boolean = ofType('boolean', (value) => typeof value === 'boolean');
const object = ofType('object', isObject);
const string = ofType('string', (value) => typeof value === 'string');

const optionChecks: Readonly<Record<string, Check>> = {
  req_id: all(string, (value, path) =>
    uuidPattern.test(String(value)) && String(value).length <= 36 ? null : `${path} should match format "uuid"`,
  ),
  timeout: all(ofType('integer', Number.isInteger), notNegative),
  etag: ofType('null,string', (value) => value === null || typeof value === 'string'),
  _value: string,
  headers: object,
  noBucketCache: boolean,
  noCache: boolean,
  limit: count,
  noLimit: boolean,
  offset: count,
  sort,
  no_count: boolean,
  sql_only: boolean,
  requireIndexes: boolean,
  requireOnlineReindexing: boolean,
  no_reindex: boolean,
  deep: boolean,
  internalOpts: all(object, (value, path) => memberProblem(value, path, { sendHandledOptions: boolean })),
  notify: notifications,
};

export function optionsProblem(value: unknown, path: string): Problem {
  return object(value, path) ?? memberProblem(value, path, optionChecks);
}

const requestChecks: Readonly<Record<string, Check>> = {
  operation: all(string, oneOf(['put', 'delete', 'update', 'deleteMany'])),
  bucket: all(string, (value, path) => (value === '' ? `${path} should NOT be shorter than 1 characters` : null)),
  key: string,
  value: object,
  fields: object,
  filter: string,
  options: optionsProblem,
};

export function requestsProblem(value: unknown, path: string): Problem {
  if (!Array.isArray(value)) return `${path} should be array`;
  for (const [position, request] of value.entries()) {
    const where = `${path}[${position}]`;
    const problem = object(request, where) ?? missing(request, where) ?? memberProblem(request, where, requestChecks);
    if (problem !== null) return problem;
  }
  return null;
}

function missing(request: object, path: string): Problem {
  return 'bucket' in request ? null : `${path} should have required property 'bucket'`;
}

/** The first problem in the order of the checks, most of which concern members that are not there. */
function memberProblem(value: unknown, path: string, checks: Readonly<Record<string, Check>>): Problem {
  const members = value as Readonly<Record<string, unknown>>;
  const problemOf = (name: string): Problem => {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    return check === undefined || members[name] === undefined ? null : check(members[name], `${path}.${name}`);
  };
  for (const name in members) {
    if (problemOf(name) === null) continue;
    const first = Object.keys(checks).find((known) => problemOf(known) !== null);
    return first === undefined ? null : problemOf(first);
  }
  return null;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function ofType(type: string, test: (value: unknown) => boolean): Check {
  return (value, path) => (test(value) ? null : `${path} should be ${type}`);
}

function all(...checks: readonly Check[]): Check {
  return (value, path) => {
    for (const check of checks) {
      const problem = check(value, path);
      if (problem !== null) return problem;
    }
    return null;
  };
}

function notNegative(value: unknown, path: string): Problem {
  return Number(value) < 0 ? `${path} should be >= 0` : null;
}

function count(value: unknown, path: string): Problem {
  if (typeof value === 'string') return /^[0-9]+$/.test(value) ? null : `${path} should match pattern "^[0-9]+$"`;
  return Number.isInteger(value) ? notNegative(value, path) : `${path} should be integer,string`;
}

function oneOf(allowed: readonly string[]): Check {
  return (value, path) => {
    if (allowed.includes(String(value))) return null;
    return `${path} should be equal to one of the allowed values (${allowed.map((name) => `"${name}"`).join(', ')})`;
  };
}

const sortChecks: Readonly<Record<string, Check>> = {
  attribute: string,
  order: all(string, (value, path) =>
    ['ASC', 'asc', 'DESC', 'desc'].includes(String(value)) ? null : oneOf(['ASC', 'DESC'])('', path),
  ),
};

/** One key or a list of them; the text names what is wrong with the value as either. */
function sort(value: unknown, path: string): Problem {
  const asKey = sortKey(value, path);
  const asList = Array.isArray(value)
    ? value.reduce((found: Problem, key: unknown, index) => found ?? sortKey(key, `${path}[${index}]`), null)
    : `${path} should be array`;
  if (asKey === null || asList === null) return null;
  return `${asList}, ${asKey}, ${path} should match some schema in anyOf`;
}

function sortKey(value: unknown, path: string): Problem {
  return object(value, path) ?? memberProblem(value, path, sortChecks);
}

/** Pairs of channel and payload. */
function notifications(value: unknown, path: string): Problem {
  if (!Array.isArray(value)) return `${path} should be array`;
  for (const [index, pair] of value.entries()) {
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
    if (!isPair) return `${path}[${index}] should be a channel and a payload`;
  }
  return null;
}
