/**
 * Logs are bunyan's JSON lines, on standard output or in a file that turns itself over: a service that runs for years
 * must not fill the disk of the node that it serves.
 */
import fs from 'node:fs';
import { Writable } from 'node:stream';
import Logger from 'bunyan';

export type { Logger };

export interface LogOptions {
  readonly name: string;
  /** A bunyan level; by default the environment's LOG_LEVEL, else `info`. */
  readonly level?: string | undefined;
  /** Where to append; absent: standard output. */
  readonly file?: string | undefined;
  /** Where lines go when there is no file: commands log to standard error, since their output is data. */
  readonly stream?: NodeJS.WritableStream | undefined;
}

export function createLogger(options: LogOptions): Logger {
  const level = (options.level ?? process.env['LOG_LEVEL'] ?? 'info') as Logger.LogLevel;
  const stream = options.file === undefined ? (options.stream ?? process.stdout) : new TurnedOverFile(options.file);
  return Logger.createLogger({ name: options.name, level, stream, serializers: Logger.stdSerializers });
}

const maxBytes = 64 * 1024 * 1024;
const keptFiles = 5;
const newline = 0x0a;

/** Appends to `file`; at 64 MiB it becomes `file.0`, the former `file.0` becomes `file.1`, and five are kept. */
class TurnedOverFile extends Writable {
  private descriptor: number;
  private sizeBytes: number;
  /** The last line stands there in part, as the disk was full: the next one must not join it. */
  private isCut: boolean;

  constructor(private readonly file: string) {
    super({ decodeStrings: true });
    this.descriptor = fs.openSync(file, 'a+', 0o600);
    this.sizeBytes = fs.fstatSync(this.descriptor).size;
    this.isCut = this.sizeBytes > 0 && lastByte(this.descriptor, this.sizeBytes) !== newline;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    try {
      if (this.sizeBytes + chunk.length > maxBytes) this.turnOver();
      const lines = this.isCut ? Buffer.concat([Buffer.of(newline), chunk]) : chunk;
      const written = fs.writeSync(this.descriptor, lines);
      this.sizeBytes += written;
      this.isCut = written < lines.length;
      if (this.isCut) complain(`cannot write to ${this.file}: a line was cut`);
      done();
    } catch (error) {
      // A full disk must not end the service that logs: the line is lost, and said to be on standard error.
      complain(`cannot write to ${this.file}: ${(error as Error).message}`);
      done();
    }
  }

  private turnOver(): void {
    fs.closeSync(this.descriptor);
    for (let index = keptFiles - 2; index >= 0; index--)
      renameIfThere(`${this.file}.${index}`, `${this.file}.${index + 1}`);
    renameIfThere(this.file, `${this.file}.0`);
    this.descriptor = fs.openSync(this.file, 'a', 0o600);
    this.sizeBytes = 0;
    this.isCut = false;
  }
}

function lastByte(descriptor: number, sizeBytes: number): number | undefined {
  const byte = Buffer.alloc(1);
  fs.readSync(descriptor, byte, 0, 1, sizeBytes - 1);
  return byte[0];
}

/** `process.stderr` would throw where nobody can catch it, when it is a file on the same full disk. */
function complain(message: string): void {
  try {
    fs.writeSync(2, `${message}\n`);
  } catch {
    // There is nowhere left to say it.
  }
}

function renameIfThere(from: string, to: string): void {
  if (fs.existsSync(from)) fs.renameSync(from, to);
}
