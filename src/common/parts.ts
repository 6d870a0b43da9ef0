/**
 * How a service runs: its parts start in order and stop in reverse. It stops on SIGTERM, on SIGINT, or when its parent
 * is gone: a service started by `marlin up` holds one end of a socket pair, and end of file there means that `up` was
 * killed. The same socket tells `up` that the service is ready, so nobody has to poll for it.
 */
import net from 'node:net';

/** Starts, and resolves to its stop. */
export type Part = () => Promise<() => Promise<void>>;

/** The descriptor on which a parent waits for "ready", if there is one. */
const parentDescriptorVariable = 'MARLIN_PARENT_FD';

/**
 * Resolves when everything has stopped.
 * @param graceMs after which a stop that hangs is cut short with exit status 1.
 * @throws the error of a part that does not start, when those before it have stopped; AggregateError when parts failed
 * to stop.
 */
export async function runParts(parts: readonly Part[], graceMs: number): Promise<void> {
  const parent = openParent();
  const asked = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
    parent?.once('close', () => resolve());
  });
  const stops: (() => Promise<void>)[] = [];
  const failures: unknown[] = [];
  try {
    for (const start of parts) stops.unshift(await start());
    parent?.write('ready\n');
    await asked;
  } finally {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
    setTimeout(() => process.exit(1), graceMs).unref();
    for (const stop of stops) await stop().catch((error: unknown) => failures.push(error)); // the others still stop
    parent?.destroy();
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not every part stopped');
}

function openParent(): net.Socket | undefined {
  const descriptor = process.env[parentDescriptorVariable];
  if (descriptor === undefined) return undefined;
  delete process.env[parentDescriptorVariable]; // not meant for the children of this process
  const socket = new net.Socket({ fd: Number(descriptor), readable: true, writable: true });
  socket.on('error', () => socket.destroy()); // a reset is an end like any other: 'close' follows
  socket.resume();
  return socket;
}
