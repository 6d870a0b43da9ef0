/** The schema of every service's configuration file. */
import { configSchema as agent } from '../../agent/config.js';
import { configSchema as archiver } from '../../archiver/config.js';
import { configSchema as frontdoor } from '../../frontdoor/config.js';
import { configSchema as moray } from '../../moray/server/config.js';
import { configSchema as storage } from '../../storage/config.js';
import { configSchema as supervisor } from '../../supervisor/config.js';

export const configSchemas = { moray, storage, frontdoor, supervisor, agent, archiver } as const;
export type ConfiguredService = keyof typeof configSchemas;
