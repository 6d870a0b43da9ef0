/** Limits and enumerations of job definitions and records. Source: spec 03 §3.2. */
export const reducerLimit = 128;
/** UTF-16 units. No object has a longer name: it would not fit into the head of a request. */
export const inputNameLimit = 16_384;
export const memorySizesMb = [128, 256, 512, 1024, 2048, 4096, 8192] as const;
export const diskSizesGb = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;
export const phaseTypes = ['storage-map', 'map', 'reduce'] as const;
export const jobStates = ['queued', 'running', 'done'] as const;
export const taskStates = ['dispatched', 'accepted', 'done'] as const;
export const taskResults = ['ok', 'fail'] as const;
/** `objectid` of an object without bytes. */
export const emptyObjectId = '/dev/null';
