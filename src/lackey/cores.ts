/** How the lackey learns that a process of the command dumped core, whatever means the platform has. */
export interface CoreWatch {
  /**
   * Watches from before the command starts. @param onDump is called once, at the first core of any of its processes.
   * @returns ends the watch and says whether there was one: also one whose news had not arrived yet.
   */
  begin(onDump: () => void): () => Promise<boolean>;
}

/** Where nothing reports core dumps. */
export const noCoreWatch: CoreWatch = { begin: () => async () => false };
