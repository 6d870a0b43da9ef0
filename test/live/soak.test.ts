/** A small soak: what `make soak` does for minutes, in seconds. */
import t from 'tap';
import { startOneBox } from '../support/one-box.js';
import { runSoak } from '../support/soak.js';

t.test(
  'jobs of two users, while agent and lackeys are killed, end exactly and leave nothing',
  { timeout: 400_000 },
  async (t) => {
    const box = await startOneBox(t, { zones: 4 });
    const report = await runSoak(box, {
      users: 2,
      jobsPerUser: 1,
      inputsPerJob: 40,
      jobsAtOnce: 2,
      killEveryMs: 1_500,
      victims: ['agent', 'lackey'],
      limitMs: 300_000,
      say: (line) => t.comment(line),
    });
    t.same(report.wrong, []);
    t.same(report.left, []);
    t.ok(report.agentKills + report.lackeyKills > 0, 'somebody was killed');
  },
);
