/**
 * Beam search: the most likely replies as a whole. A finished reply's score is the sum of its log probabilities, divided
 * by its length to the power of the penalty; the search ends when no open beam can beat the finished ones.
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
  /** Above 0 favors longer replies. Default 1, the mean of a token. */
  readonly lengthPenalty?: number;
}

export interface BeamReply {
  /** Without the token or the words that stopped it. */
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
  readonly parent: number;
  readonly id: number;
  readonly logProb: number;
}

/** The replies, best first, as many as there are beams. @throws as `generate` */
export async function beamSearch(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompt: readonly number[],
  options: BeamOptions = {},
): Promise<BeamReply[]> {
  const { beams: count = 5, lengthPenalty = 1, maxTokens = 256, signal } = options;
  if (!Number.isInteger(count) || count < 1) throw new UsageError(`beams: expected at least 1, got ${count}.`);
  const { stop, spans, texts, history: start } = setUp(model, tokenizer, prompt, options);
  const room = Math.min(maxTokens, model.context - start.length);
  const finished: BeamReply[] = [];
  const finish = ({ ids, logProb }: Pick<Beam, "ids" | "logProb">, reason: BeamReply["reason"]): void => {
    // The stop token counts as said.
    const length = ids.length + (reason === "stop" ? 1 : 0);
    finished.push({ ids, score: logProb / length ** lengthPenalty, reason });
    finished.sort((a, b) => b.score - a.score);
    finished.splice(count);
  };

  const state = model.start();
  let open: Beam[] = [{ ids: [], logProb: 0, span: spans?.start(start) }];
  let logits = await state.read([start]);
  for (let length = 1; length <= room; length++) {
    signal?.throwIfAborted();
    const candidates = open.flatMap((beam, parent) => {
      const scores = logits[parent]!;
      if (beam.span) spans!.restrict(beam.span, scores);
      return best(scores, beam.logProb, 2 * count, parent);
    });
    candidates.sort((a, b) => b.logProb - a.logProb);
    let kept: Candidate[] = [];
    for (const [rank, candidate] of candidates.entries()) {
      // A stop counts only among the best `count`, as elsewhere; others still have better company.
      if (stop.has(candidate.id)) {
        if (rank < count) finish({ ids: open[candidate.parent]!.ids, logProb: candidate.logProb }, "stop");
      } else if (kept.length < count) kept.push(candidate);
    }
    if (texts)
      kept = kept.filter(({ parent, id, logProb }) => {
        const ids = [...open[parent]!.ids, id];
        const end = texts.before(ids);
        if (end !== undefined) finish({ ids: ids.slice(0, end), logProb }, "stop");
        return end === undefined;
      });
    open = kept.map(({ parent, id, logProb }) => {
      const { ids, span } = open[parent]!;
      return { ids: [...ids, id], logProb, span: span && spans!.next(span, id) };
    });
    const reachable = (open[0]?.logProb ?? Number.NEGATIVE_INFINITY) / length ** lengthPenalty;
    if (open.length === 0 || (finished.length === count && finished.at(-1)!.score >= reachable)) return finished;
    if (length < room)
      logits = await state.read(
        open.map(({ ids }) => [ids.at(-1)!]),
        kept.map(({ parent }) => parent),
      );
  }
  for (const beam of open) finish(beam, "length");
  return finished;
}

/** The `count` most likely tokens, with the log probabilities of the whole. */
function best(logits: Float32Array, base: number, count: number, parent: number): Candidate[] {
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - top);
  const offset = base - top - Math.log(sum);
  const ids: number[] = [];
  for (const [id, x] of logits.entries()) {
    if (x === Number.NEGATIVE_INFINITY) continue;
    if (ids.length === count && x <= logits[ids.at(-1)!]!) continue;
    const at = ids.findIndex((other) => logits[other]! < x);
    ids.splice(at < 0 ? ids.length : at, 0, id);
    if (ids.length > count) ids.pop();
  }
  return ids.map((id) => ({ parent, id, logProb: offset + logits[id]! }));
}
