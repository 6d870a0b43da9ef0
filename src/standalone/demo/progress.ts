/** What a person sees while something takes its time: a line that changes on a terminal, few plain lines elsewhere. */
export interface Progress {
  step(title: string): void;
  update(text: string): void;
  /** Ends the step with its time. */
  done(text?: string): void;
  line(text: string): void;
}

export function createProgress(out: NodeJS.WriteStream, nowMs: () => number): Progress {
  let startedMs = 0;
  let title = '';
  const live = out.isTTY === true;
  const seconds = () => `${((nowMs() - startedMs) / 1000).toFixed(1)} s`;
  return {
    step(text) {
      title = text;
      startedMs = nowMs();
      if (live) out.write(`${title} … `);
    },
    update(text) {
      if (live) out.write(`\r\x1b[K${title} … ${text}`);
    },
    done(text) {
      const line = `${title}: ${text === undefined ? '' : `${text}, `}${seconds()}\n`;
      out.write(live ? `\r\x1b[K${line}` : line);
    },
    line: (text) => void out.write(`${text}\n`),
  };
}
