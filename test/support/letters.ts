/** The job that the tests of faults run: letters in, upper case by `map`, gathered by `reduce`. */
import type { Command, World } from './supervisor.js';

export const map = { type: 'map', exec: 'upper' } as const;
export const reduce = (count = 1) => ({ type: 'reduce', exec: 'join', count }) as const;
export const work: Command = (inputs, task) =>
  task.rIdx === undefined ? inputs.map((text) => text.toUpperCase()) : [[...inputs].sort().join(' ')];

export const letters = 'abcdefghijklmnopqrstuvwxyz';

/** Stores each letter as an object of its own. @returns the names. */
export async function putLetters(world: World): Promise<string[]> {
  await Promise.all([...letters].map((letter) => world.putObject(`/wilma/stor/${letter}`, letter)));
  return [...letters].map((letter) => `/wilma/stor/${letter}`);
}

/** Waits of a supervisor, short enough for a test to see them end. */
export const quick = {
  timeAgentPoll: 100,
  timeAgentTimeout: 1000,
  timeWorkerPoll: 100,
  timeWorkerAbandon: 1500,
  timeHeartbeat: 200,
  timeJobStill: 1000,
};
