import type { TaskError } from '../../records/error-codes.js';

/** A task cannot start; `taskError` is what its user is told. */
export class TaskSetUpError extends Error {
  override readonly name = 'TaskSetUpError';
  constructor(readonly taskError: TaskError) {
    super(taskError.internal ?? taskError.message);
  }
}
