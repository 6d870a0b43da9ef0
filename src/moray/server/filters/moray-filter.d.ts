/** What we use of the published filter parser, which has no types of its own. */
declare module 'moray-filter' {
  namespace filters {
    export interface Parsed {
      readonly type: string;
      readonly attribute?: string;
      readonly value?: unknown;
      readonly filter?: Parsed;
      readonly filters?: readonly Parsed[];
      readonly rule?: string;
      readonly initial?: string;
      readonly any?: readonly string[];
      readonly final?: string;
      toString(): string;
    }
  }
  const filters: { parse(text: string): filters.Parsed };
  export = filters;
}
