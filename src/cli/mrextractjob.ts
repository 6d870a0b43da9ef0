/**
 * `mrextractjob`: the records of one job out of dumps of the database, which are objects in Manta. It is itself a job:
 * one map task per dump, next to the dump, keeps the first line, which names the columns, and the lines of the job.
 * `pg_transform.js` of the operator's asset turns them into records. Source: spec 08 §8.5.
 */
import path from 'node:path';
import VError from 'verror';
import { isPlainId } from './cache.js';
import { programOf, usageError } from './command.js';
import type { CliContext } from './context.js';

const dumps = /marlin_(errors|jobinputs|jobs|taskinputs|taskoutputs|tasks)/;
const tools = '/poseidon/stor/manta_pg_job/assets/mola.tar.gz';
const init = `cd /var/tmp && tar -xzf /assets${tools}`;
const memoryMb = 4096;

export const mrextractjob = programOf<CliContext>({
  name: 'mrextractjob',
  args: 'dump_path out_path jobid',
  argCount: { least: 3, most: 3 },
  help: 'extracts the records of a job from dumps of the database in Manta, by a Manta job',
  options: [],
  async run({ args: [dumpPath = '', outPath = '', jobId = ''], context, print }) {
    if (!isPlainId(jobId)) throw usageError(`"${jobId}" is no job id`);
    const must = async (command: string, args: readonly string[], input = ''): Promise<string> => {
      const { status, stdout } = await context.exec(command, args, input);
      if (status !== 0) throw new VError({ name: 'ExtractError' }, 'failed');
      return stdout;
    };
    const found = await must('mfind', ['-t', 'o', dumpPath]);
    const inputs = found.split('\n').filter((name) => dumps.test(path.posix.basename(name)));
    if (inputs.length === 0) throw new VError({ name: 'ExtractError' }, 'no dumps of Marlin below "%s"', dumpPath);
    const phase = ['-s', tools, '--init', init, '--memory', String(memoryMb), '-m', phaseScript(outPath, jobId)];
    await must('mjob', ['create', '-w', ...phase], `${inputs.join('\n')}\n`);
    const listing = await must('mls', ['-l', outPath]);
    print(`mls -l "${outPath}":`);
    print(listing.trimEnd());
    return 0;
  },
});

/** The value of a record is a JSON text within the JSON of its line: hence the escaped quotes. */
function phaseScript(outPath: string, jobId: string): string {
  return `set -o errexit -o pipefail
name=$(basename "$MANTA_INPUT_OBJECT")
name=\${name#marlin_}
name=\${name%_*}
pair='\\"jobId\\":\\"${jobId}\\"'
zcat -f | { IFS= read -r first; printf '%s\\n' "$first"; grep -F -- "$pair" || true; } |
  node /var/tmp/mola/lib/pg_transform.js | mpipe ${quoted(outPath)}/"$name.json"
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
