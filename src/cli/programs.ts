/** The operator's commands by name. Each is loaded alone, so that it starts fast. */
import type { Program } from './command.js';
import type { CliContext } from './context.js';

export const programs: Readonly<Record<string, () => Promise<Program<CliContext>>>> = {
  mrjob: async () => (await import('./mrjob/program.js')).mrjob,
  mrerrors: async () => (await import('./mrerrors/mrerrors.js')).mrerrors,
  mrerrorsummary: async () => (await import('./mrerrors/mrerrorsummary.js')).mrerrorsummary,
  mrjobreport: async () => (await import('./mrjobreport/mrjobreport.js')).mrjobreport,
  mrextractjob: async () => (await import('./mrextractjob.js')).mrextractjob,
  mrmeter: async () => (await import('./mrmeter/mrmeter.js')).mrmeter,
  mrzones: async () => (await import('./agent/mrzones.js')).mrzones,
  mrgroups: async () => (await import('./agent/mrgroups.js')).mrgroups,
  mrzone: async () => (await import('./agent/zone-commands.js')).mrzone,
  mrzonedisable: async () => (await import('./agent/zone-commands.js')).mrzonedisable,
  mrzoneremove: async () => (await import('./agent/zone-commands.js')).mrzoneremove,
  mrdeploycompute: async () => (await import('./agent/zone-commands.js')).mrdeploycompute,
  mragentconf: async () => (await import('./agent/mragentconf.js')).mragentconf,
  mragentdestroy: async () => (await import('./agent/mragentconf.js')).mragentdestroy,
  mrpound: async () => (await import('./mrpound.js')).mrpound,
  mrereport: async () => (await import('./mrereport/mrereport.js')).mrereport,
  'mrereport-count.js': async () => (await import('./mrereport/stages.js')).mrereportCount,
  'mrereport-sum.js': async () => (await import('./mrereport/stages.js')).mrereportSum,
  'mrereport-report.js': async () => (await import('./mrereport/stages.js')).mrereportReport,
  mrsup: async () => (await import('./mrsup.js')).mrsup,
  mlocate: async () => (await import('./mlocate.js')).mlocate,
  mragentsnoop: async () => (await import('./agent/mragentsnoop.js')).mragentsnoop,
};
