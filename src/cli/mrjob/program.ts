/** The subcommands of mrjob, in the order of its usage. */
import type { Program } from '../command.js';
import type { CliContext } from '../context.js';
import { addkeys } from './addkeys.js';
import { archiveReset } from './archive-reset.js';
import { archiveStatus } from './archive-status.js';
import { cancel } from './cancel.js';
import { columnNames } from './columns.js';
import { deleteCommand } from './delete.js';
import { endinput } from './endinput.js';
import { errors } from './errors.js';
import { failed } from './failed.js';
import { get } from './get.js';
import { inputs } from './inputs.js';
import { list } from './list.js';
import { log } from './log.js';
import { outputs } from './outputs.js';
import { retries } from './retries.js';
import { submit } from './submit.js';
import { taskdone } from './taskdone.js';
import { taskhistory } from './taskhistory.js';
import { watch } from './watch.js';
import { where } from './where.js';

export const mrjob: Program<CliContext> = {
  name: 'mrjob',
  summary: 'sees and changes jobs directly in Moray: no front door, no access control',
  commands: [
    list,
    get,
    where,
    watch,
    submit,
    addkeys,
    endinput,
    cancel,
    deleteCommand,
    inputs,
    outputs,
    errors,
    retries,
    failed,
    log,
    taskdone,
    taskhistory,
    archiveReset,
    archiveStatus,
  ],
  notes: [
    `Columns for "list -o": ${columnNames.join(', ')}.`,
    'MORAY_URL says where Moray is (default tcp://localhost:2020); "submit" also needs MAHI_URL and MANTA_USER.',
  ],
};
