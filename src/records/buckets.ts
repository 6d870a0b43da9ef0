/** Logical names of the buckets, as the code and the channels' payloads use them. */
export type BucketName =
  | 'domain'
  | 'error'
  | 'health'
  | 'job'
  | 'jobinput'
  | 'storage'
  | 'task'
  | 'taskinput'
  | 'taskoutput';

/** Names in Moray. Configuration may name others; these are what every deployment uses. */
export const defaultBuckets: Readonly<Record<BucketName, string>> = {
  domain: 'marlin_domains_v2',
  error: 'marlin_errors_v2',
  health: 'marlin_health_v2',
  job: 'marlin_jobs_v2',
  jobinput: 'marlin_jobinputs_v2',
  storage: 'manta_storage',
  task: 'marlin_tasks_v2',
  taskinput: 'marlin_taskinputs_v2',
  taskoutput: 'marlin_taskoutputs_v2',
};
