/**
 * Beam search: replies that are most likely as a whole. The score of a finished reply is the sum of its log probabilities
 * divided by its length to the power of the penalty; the search ends when no open beam can beat the finished ones.
 */
import { UsageError } from "../../base/errors.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { type GenerateOptions, setUp } from "./generate.ts";
import type { SpanState } from "./image-spans.ts";
import type { TokenModel } from "./token-model.ts";

export interface BeamOptions
  extends Pick<GenerateOptions, "maxTokens" | "images" | "stop" | "stopTexts" | "truncate" | "reserve" | "signal"> {
  /** Default 5. */
  readonly beams?: number;
  /** Above 0 favors longer replies. Default 1: the mean of the tokens. */
  readonly lengthPenalty?: number;
}

export interface BeamReply {
  /** Without the token or text that stopped it. */
  readonly ids: readonly number[];
  readonly score: number;
  readonly reason: "stop" | "length";
}

interface Beam {
  readonly ids: readonly number[];
  /** Sum of log probabilities, nats. */
  readonly logProb: number;
  readonly span: SpanState | undefined;
}

interface Candidate {
  readonly beam: Beam;
  /** Its row in the model's state. */
  readonly parent: number;
  readonly id: number;
  readonly logProb: number;
}

/** As many replies as there are beams, the best first. @throws as `generate` */
export async function beamSearch(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompt: readonly number[],
  options: BeamOptions = {},
): Promise<BeamReply[]> {
  const { beams: count = 5, lengthPenalty = 1, maxTokens = 256, signal } = options;
  if (!Number.isInteger(count) || count < 1) throw new UsageError(`beams: expected at least 1, got ${count}.`);
  const { stop, spans, texts, history } = setUp(model, tokenizer, prompt, options);
  const room = Math.min(maxTokens, model.context - history.length);
  const finished: BeamReply[] = [];
  const finish = (ids: readonly number[], logProb: number, reason: BeamReply["reason"]): void => {
    const length = ids.length + (reason === "stop" ? 1 : 0); // the stop token counts
    finished.push({ ids, score: logProb / length ** lengthPenalty, reason });
    finished.sort((a, b) => b.score - a.score);
    finished.splice(count);
  };
  const state = model.start();
  let open: Beam[] = [{ ids: [], logProb: 0, span: spans?.start(history) }];
  let logits = await state.read([history]);
  for (let length = 1; length <= room; length++) {
    signal?.throwIfAborted();
    const candidates = open.flatMap((beam, parent) => {
      const own = logits[parent] ?? new Float32Array();
      if (beam.span) spans?.restrict(beam.span, own);
      return likeliestNext(own, { beam, parent }, 2 * count);
    });
    candidates.sort((a, b) => b.logProb - a.logProb);
    let kept: Candidate[] = [];
    for (const [rank, candidate] of candidates.entries()) {
      // As in transformers, a stop counts only among the best `count`.
      if (!stop.has(candidate.id)) kept.push(candidate);
      else if (rank < count) finish(candidate.beam.ids, candidate.logProb, "stop");
    }
    kept = kept.slice(0, count);
    if (texts)
      kept = kept.filter(({ beam, id, logProb }) => {
        const ids = [...beam.ids, id];
        const end = texts.before(ids);
        if (end !== undefined) finish(ids.slice(0, end), logProb, "stop");
        return end === undefined;
      });
    open = kept.map(({ beam: { ids, span }, id, logProb }) => {
      return { ids: [...ids, id], logProb, span: span && spans?.next(span, id) };
    });
    const reachable = (open[0]?.logProb ?? Number.NEGATIVE_INFINITY) / length ** lengthPenalty;
    const worst = finished.at(-1)?.score ?? Number.NEGATIVE_INFINITY;
    if (open.length === 0 || (finished.length === count && worst >= reachable)) return finished;
    if (length < room)
      logits = await state.read(
        kept.map(({ id }) => [id]),
        kept.map(({ parent }) => parent),
      );
  }
  for (const { ids, logProb } of open) finish(ids, logProb, "length");
  return finished;
}

/** The `count` likeliest next tokens of a beam, with the log probabilities of the whole. logits: f32 [V]. */
function likeliestNext(
  logits: Float32Array,
  { beam, parent }: Pick<Candidate, "beam" | "parent">,
  count: number,
): Candidate[] {
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - top);
  const offset = beam.logProb - top - Math.log(sum);
  const best: { readonly id: number; readonly x: number }[] = [];
  for (const [id, x] of logits.entries()) {
    if (x === Number.NEGATIVE_INFINITY) continue;
    if (best.length === count && x <= (best.at(-1)?.x ?? x)) continue;
    const at = best.findIndex((other) => other.x < x);
    best.splice(at < 0 ? best.length : at, 0, { id, x });
    if (best.length > count) best.pop();
  }
  return best.map(({ id, x }) => ({ beam, parent, id, logProb: offset + x }));
}
