/** What maggr computes of a column: each operation takes the group's values one by one and has one result. */

export interface Accumulator {
  add(value: number): void;
  result(): number;
}

/** `key` and `nop` say what a column is for; nothing is computed of it. */
export const operationNames = [
  'key',
  'nop',
  'count',
  'max',
  'mean',
  'min',
  'range',
  'sum',
  'ovariance',
  'variance',
  'stddev',
] as const;
export type OperationName = (typeof operationNames)[number];
export type Computation = Exclude<OperationName, 'key' | 'nop'>;

export function isOperation(name: string): name is OperationName {
  return (operationNames as readonly string[]).includes(name);
}

export const accumulators: Readonly<Record<Computation, () => Accumulator>> = {
  count: () => fold(0, (count) => count + 1),
  sum: () => fold(0, (sum, value) => sum + value),
  min: () => fold(Number.POSITIVE_INFINITY, (least, value) => Math.min(least, value)),
  max: () => fold(Number.NEGATIVE_INFINITY, (most, value) => Math.max(most, value)),
  mean: () => {
    let count = 0;
    let sum = 0;
    return {
      add(value) {
        count++;
        sum += value;
      },
      result: () => sum / count,
    };
  },
  range: () => {
    const least = accumulators.min();
    const most = accumulators.max();
    return {
      add(value) {
        least.add(value);
        most.add(value);
      },
      result: () => Math.abs(most.result() - least.result()),
    };
  },
  ovariance: onlineVariance,
  variance: bufferedVariance,
  stddev: () => {
    const variance = bufferedVariance();
    return { add: variance.add, result: () => Math.sqrt(variance.result()) };
  },
};

function fold(initial: number, step: (result: number, value: number) => number): Accumulator {
  let result = initial;
  return {
    add(value) {
      result = step(result, value);
    },
    result: () => result,
  };
}

/** Of the sample (n - 1), in one pass and constant space. NaN for a single value. */
function onlineVariance(): Accumulator {
  let count = 0;
  let mean = 0;
  let squares = 0;
  return {
    add(value) {
      count++;
      const delta = value - mean;
      mean += delta / count;
      squares += delta * (value - mean);
    },
    result: () => squares / (count - 1),
  };
}

/** Of the sample (n - 1), in two passes: exact to the last digits, and keeps every value. */
function bufferedVariance(): Accumulator {
  const values: number[] = [];
  return {
    add(value) {
      values.push(value);
    },
    result() {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    },
  };
}
