/** What generation needs of a language model; tests use a function instead. */
export interface TokenModel {
  /** Largest number of tokens of a sequence. */
  readonly context: number;
  /** A sequence, or several, with nothing read yet. */
  start(): TokenState;
}

export interface TokenState {
  /**
   * Reads more tokens of each sequence, equally many after the first call, and returns the logits after the last one, f32 [V] each.
   * `parents` says which of the sequences read so far each of them continues; without it sequence i continues
   * sequence i, and the first call begins them all.
   */
  read(tokens: readonly (readonly number[])[], parents?: readonly number[]): Promise<Float32Array[]>;
  /**
   * Continues with sequences `own` of this state, followed by sequences `others` of another state of the same model, which
   * ends. Both have read something. Absent if a state cannot do this.
   */
  join?(other: TokenState, own: readonly number[], others: readonly number[]): Promise<void>;
}
