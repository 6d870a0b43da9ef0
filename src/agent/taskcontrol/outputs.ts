/** What a successful PUT means for the task that made it. Source: spec 05 §7.6. */
import type { TaskTable } from '../tasks/table.js';
import type { Task } from '../tasks/task.js';

export type OutputKind = 'stdout' | 'stderr' | 'core';

export function kindOf(header: string | string[] | undefined): OutputKind | null {
  return header === 'stdout' || header === 'stderr' || header === 'core' ? header : null;
}

/** @returns a promise when whoever emits so much has to wait. */
export function recordOutput(
  table: Pick<TaskTable, 'addOutput'>,
  task: Task,
  output: { readonly kind: OutputKind; readonly path: string; readonly reducer: number | null },
): Promise<void> | null {
  if (output.kind === 'stdout') return table.addOutput(task, output.path, output.reducer);
  if (output.kind === 'stderr') task.stderr = output.path;
  else task.core = output.path;
  return null;
}
