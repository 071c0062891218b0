/** What goes into and comes out of a graph: plain numbers with a shape. */

export interface Value {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export type Values = Readonly<Record<string, Value>>;
