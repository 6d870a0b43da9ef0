/**
 * Codes and public messages of task errors: what users see and match on, so they never change.
 * Source: spec 03 §3.13; what only the agent says: spec 05 §8.4.
 */
export const errorCodes = [
  'AuthorizationError',
  'InternalError',
  'InvalidArgumentError',
  'JobCancelledError',
  'ResourceNotFoundError',
  'ServiceUnavailableError',
  'TaskInitError',
  'TaskKilledError',
  'UserTaskError',
] as const;

/** User programs may choose any other code in the `fail` call. */
export type ErrorCode = (typeof errorCodes)[number];

/** What goes into an error record. `internal` is for operators and never shown to users. */
export interface TaskError {
  readonly code: string;
  readonly message: string;
  readonly internal?: string;
}

function failure(code: ErrorCode, message: string, internal?: string): TaskError {
  return { code, message, ...(internal === undefined ? {} : { internal }) };
}

/** Every error that Marlin itself reports, by what went wrong. */
export const taskErrors = {
  permissionDenied: (object: string) => failure('AuthorizationError', `permission denied: "${object}"`),
  /** @param internal the cause, for operators. */
  internal: (internal: string) => failure('InternalError', 'internal error', internal),
  agentTimedOut: () => failure('InternalError', 'internal error', 'agent timed out'),
  endOfReduceInput: (cause: string) =>
    failure('InternalError', 'internal error ending reduce task input', `error ending reduce task input: ${cause}`),
  locating: (object: string, cause: string) => taskErrors.internal(`error locating object: ${cause}: "${object}"`),
  invalidSharks: (object: string) => taskErrors.internal(`missing or invalid "sharks" property: "${object}"`),
  noSharks: (object: string) => taskErrors.internal(`no sharks found for non-empty object: "${object}"`),
  noReduceTask: () => taskErrors.internal('no reduce task available'),
  lackeyTimedOut: () => taskErrors.internal('lackey timed out'),
  lackeyCrashed: () => taskErrors.internal('lackey crashed'),
  lackeyCrashedDuringInit: () => taskErrors.internal('lackey crashed during zone init'),
  saving: (what: 'stdout' | 'stderr' | 'core', cause: string) => taskErrors.internal(`error saving ${what}: ${cause}`),
  unsupportedType: (type: string, object: string) =>
    failure('InvalidArgumentError', `objects of type "${type}" are not supported: "${object}"`),
  noSuchReducer: (reducer: number, reducerCount: number) =>
    failure('InvalidArgumentError', `reducer "${reducer}" specified, but only ${reducerCount} reducers exist`),
  imageNotAvailable: () => failure('InvalidArgumentError', 'failed to dispatch task: requested image is not available'),
  malformedPath: () => failure('InvalidArgumentError', 'malformed path: no leading "/"'),
  jobCancelled: () => failure('JobCancelledError', 'job was cancelled'),
  malformedName: (object: string) => failure('ResourceNotFoundError', `malformed object name: "${object}"`),
  noSuchObject: (object: string) => failure('ResourceNotFoundError', `no such object: "${object}"`),
  cannotLoadObject: (internal: string) => failure('ResourceNotFoundError', 'failed to load object', internal),
  noServers: () => failure('ServiceUnavailableError', 'no servers available to run task'),
  noServersForReducer: (reducer: number, phase: number) =>
    failure('ServiceUnavailableError', `no servers available for reducer ${reducer} in phase ${phase}`),
  fetchingInputs: (cause: string) => failure('ServiceUnavailableError', `error fetching inputs: ${cause}`),
  notEnoughMemory: () => failure('TaskInitError', 'failed to dispatch task: not enough memory available'),
  notEnoughDisk: () => failure('TaskInitError', 'failed to dispatch task: not enough disk space available'),
  dispatch: (cause: string) => failure('TaskInitError', `failed to dispatch task: ${cause}`),
  previousTaskFailedToInitialize: () =>
    failure(
      'TaskInitError',
      'task aborted because a previous task failed to initialize (see other errors for details)',
    ),
  killed: () => failure('TaskKilledError', 'task killed (excessive resource usage)'),
  exited: (status: number) => failure('UserTaskError', `user command exited with code ${status}`),
  signalled: (signal: string) => failure('UserTaskError', `user command terminated by ${signal}`),
  dumpedCore: () => failure('UserTaskError', 'user command or child process dumped core'),
  outOfMemory: () => failure('UserTaskError', 'user task ran out of memory'),
  outOfDisk: () => failure('UserTaskError', 'user task ran out of local disk space'),
  noMessage: () => failure('UserTaskError', 'no message given'),
} as const;

/** Notes that the agent appends to what a lackey reported; at most one, the first that applies. */
export const messageNotes = {
  outOfMemory: ' (WARNING: ran out of memory during execution)',
  unusualLocation: ' (WARNING: input file was mapped at an unusual location because the object name was too long)',
} as const;

const beforeAnyCommand = [taskErrors.dispatch('').message, taskErrors.previousTaskFailedToInitialize().message];

/**
 * Which script of the phase failed; `none`: with `TaskInitError`, that none was run. The code alone does not say: a zone
 * or an asset that cannot be set up has the same one, and records keep nothing else of it.
 */
export function failedScript({ code, message }: TaskError): 'init' | 'exec' | 'none' {
  if (code !== 'TaskInitError') return 'exec';
  return beforeAnyCommand.some((beginning) => message.startsWith(beginning)) ? 'none' : 'init';
}
