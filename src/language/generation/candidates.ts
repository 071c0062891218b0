/**
 * The tokens that are still candidates while one is chosen, with their likelihoods. In typed arrays, as a vocabulary has tens
 * of thousands of tokens and a server chooses for many replies at once on the thread that also answers requests.
 */

/** Tokens e^-25 times as likely as the likeliest: together too few to matter. */
export const NEGLIGIBLE = 25;
/** Distances from the likeliest token, in nats; each is tried if the ones before do not give enough. */
const NEAR = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, NEGLIGIBLE] as const;
/** Above every id: score and id are one number for sorting, exact below 2^53. */
const IDS = 2 ** 21;

export class Candidates {
  #count = 0;
  #ids = new Int32Array(0);
  /** Logit minus the largest one, divided by the temperature; f32: 0 for the likeliest, negative for the others. */
  #scores = new Float32Array(0);
  #keys = new Float64Array(0);
  /** Bits of the scores. */
  #bits = new Uint32Array(0);

  /** All that are not negligible, in the order of their ids. logits: f32 [V], `top` the largest of them. */
  collect(logits: Float32Array, top: number, temperature: number): void {
    this.#reserve(logits.length);
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      const score = Math.fround(((logits[id] as number) - top) / temperature);
      if (!(score > -NEGLIGIBLE)) continue;
      this.#ids[count] = id;
      this.#scores[count++] = score;
    }
    this.#count = count;
  }

  /** Keeps the k likeliest, in that order. */
  keepLikeliest(k: number): void {
    const counts = NEAR.map((nats) => {
      let count = 0;
      for (let i = 0; i < this.#count; i++) if ((this.#scores[i] as number) > -nats) count++;
      return count;
    });
    this.#sortNearest(NEAR.find((_, i) => (counts[i] as number) >= k));
    this.#count = Math.min(this.#count, k);
  }

  /** Keeps the likeliest that together reach a share of all, the one that crosses it too, in that order. */
  keepShare(share: number): void {
    const sums = NEAR.map(() => 0);
    let all = 0;
    for (let i = 0; i < this.#count; i++) {
      const score = this.#scores[i] as number;
      const weight = Math.exp(score);
      all += weight;
      for (let k = NEAR.length - 1; k >= 0 && score > -(NEAR[k] as number); k--) sums[k] = (sums[k] as number) + weight;
    }
    const goal = share * all;
    this.#sortNearest(NEAR.find((_, k) => (sums[k] as number) >= goal));
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      sum += Math.exp(this.#scores[i] as number);
      if (sum >= goal) this.#count = i + 1;
    }
  }

  /** Keeps those at least this share as likely as the likeliest. */
  keepAtLeast(share: number): void {
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const score = this.#scores[i] as number;
      if (Math.exp(score) < share) continue;
      this.#ids[kept] = this.#ids[i] as number;
      this.#scores[kept++] = score;
    }
    this.#count = kept;
  }

  /** The candidate at a point in [0,1) of their likelihoods laid end to end; undefined if there is none. */
  at(place: number): number | undefined {
    let rest = 0;
    for (let i = 0; i < this.#count; i++) rest += Math.exp(this.#scores[i] as number);
    rest *= place;
    for (let i = 0; i < this.#count; i++) {
      rest -= Math.exp(this.#scores[i] as number);
      if (rest < 0) return this.#ids[i];
    }
    return this.#ids[this.#count - 1];
  }

  /** Drops what is farther than this many nats from the likeliest, and sorts the rest, equal ones by id. */
  #sortNearest(nats = NEGLIGIBLE): void {
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      // Scores are 0 or negative: without their sign their bits, as whole numbers, grow with the distance.
      if ((this.#scores[i] as number) > -nats)
        this.#keys[count++] = ((this.#bits[i] as number) & 0x7fffffff) * IDS + (this.#ids[i] as number);
    }
    const keys = this.#keys.subarray(0, count).sort();
    for (let i = 0; i < count; i++) {
      const key = keys[i] as number;
      const id = key % IDS;
      this.#ids[i] = id;
      this.#bits[i] = (key - id) / IDS + 2 ** 31;
    }
    this.#count = count;
  }

  #reserve(size: number): void {
    if (this.#ids.length >= size) return;
    this.#ids = new Int32Array(size);
    this.#scores = new Float32Array(size);
    this.#bits = new Uint32Array(this.#scores.buffer);
    this.#keys = new Float64Array(size);
  }
}
