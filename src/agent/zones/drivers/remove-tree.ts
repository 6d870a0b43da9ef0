import { runCommand } from './commands.js';

/**
 * Removes a directory with all that untrusted programs made in it, also trees deeper than the longest path and, where
 * we are not root, directories that their owner may not enter. Follows no links and leaves other file systems alone.
 */
export async function removeTree(directory: string): Promise<void> {
  const remove = ['-rf', '--one-file-system', '--', directory];
  try {
    await runCommand('rm', remove);
  } catch {
    await runCommand('chmod', ['-R', 'u+rwX', '--', directory]).catch(() => {}); // rm tells what is still wrong
    await runCommand('rm', remove);
  }
}
