/**
 * The Moray server: a key-value store with searches, spoken to by the Fast protocol.
 *
 *   socket -> framing (frames, connections) -> rpc (arguments, table) -> engine -> SQLite
 *                                                     channels <- notifications, at commit
 *
 * Requests run as they arrive and are answered in any order. Writes are grouped by the engine and answered when
 * durable; searches run on threads of their own. Nothing is held in memory that a `kill -9` could lose.
 */
import { loadConfig } from '../../common/config.js';
import { createLogger, type Logger } from '../../common/logging.js';
import { runParts } from '../../common/parts.js';
import { createChannels } from './channels.js';
import { configSchema, type MorayConfig } from './config.js';
import { openSqliteEngine } from './engines/sqlite/engine.js';
import { startFastServer } from './framing/server.js';
import { createMetrics, startMonitor } from './metrics.js';
import { createDispatch } from './rpc/dispatch.js';

const graceMs = 10_000;

interface RunningMoray {
  readonly port: number;
  /** Undefined when metrics are not served. */
  readonly monitorPort: number | undefined;
  stop(): Promise<void>;
}

/** Runs until told to stop. */
export async function main(configFile: string): Promise<void> {
  const config = loadConfig(configFile, configSchema);
  const log = createLogger({ name: 'moray', file: config.log?.file });
  const startMorayPart = async () => {
    const { stop } = await startMoray(config, log);
    return stop;
  };
  await runParts([startMorayPart], graceMs);
}

/** @throws VError `DatabaseInUseError`, `DatabaseFormatError`, `DatabaseOpenError`; or the socket's error. */
export async function startMoray(config: MorayConfig, log: Logger): Promise<RunningMoray> {
  const channels = createChannels();
  let connectionCount = () => 0;
  const metrics = createMetrics({ connections: () => connectionCount(), listeners: channels.listenerCount });
  const engine = openSqliteEngine({
    file: config.dataFile,
    synchronous: config.synchronous,
    readerCount: config.readers,
    nowMs: Date.now,
    onNotifications: channels.deliver,
    onGroup: metrics.observeGroup,
  });
  const { host, maxFrameBytes } = config;
  const onRequest = createDispatch({ engine, channels, log, metrics });
  try {
    const server = await startFastServer({ host, port: config.port, log, maxFrameBytes, onRequest });
    connectionCount = server.connectionCount;
    const { monitorPort } = config;
    const monitor = monitorPort === undefined ? undefined : await startMonitor({ host, port: monitorPort, metrics });
    log.info(
      { host, port: server.port, monitorPort: monitor?.port, dataFile: config.dataFile },
      `Moray listening on port ${server.port}`,
    );
    return {
      port: server.port,
      monitorPort: monitor?.port,
      async stop() {
        await monitor?.stop();
        await server.stop();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
