/** SHA-256 in plain JavaScript, for platforms without a synchronous one. FIPS 180-4. */

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const K = fractions(64, Math.cbrt);

export class Sha256 {
  /** The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
  readonly #state = fractions(8, Math.sqrt);
  readonly #block = new Uint8Array(64);
  readonly #words = new Uint32Array(64);
  /** Bytes taken so far. */
  #length = 0;

  /** Adds bytes, or the UTF-8 of a text. */
  update(data: Uint8Array | string): this {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length; ) {
      const filled = this.#length % 64;
      const taken = Math.min(64 - filled, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + taken), filled);
      at += taken;
      this.#length += taken;
      if (filled + taken === 64) this.#compress();
    }
    return this;
  }

  /** The hash of all bytes, hexadecimal. Nothing can be added afterwards. */
  hex(): string {
    const bits = BigInt(this.#length) * 8n;
    const padding = new Uint8Array(((55 - this.#length) & 63) + 9);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, bits);
    this.update(padding);
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, "0")).join("");
  }

  #compress(): void {
    const w = this.#words;
    const block = new DataView(this.#block.buffer);
    for (let t = 0; t < 16; t++) w[t] = block.getUint32(4 * t);
    for (let t = 16; t < 64; t++) {
      const [a, b] = [w[t - 15] as number, w[t - 2] as number];
      const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
      const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
      w[t] = ((w[t - 16] as number) + s0 + (w[t - 7] as number) + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = this.#state as unknown as Eight;
    for (let t = 0; t < 64; t++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[t] as number) + (w[t] as number)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    for (const [i, x] of [a, b, c, d, e, f, g, h].entries()) this.#state[i] = ((this.#state[i] as number) + x) | 0;
  }
}

type Eight = [number, number, number, number, number, number, number, number];

function rotate(x: number, n: number): number {
  return (x >>> n) | (x << (32 - n));
}

/** Floating point gives the 32 bits exactly: the roots are below 8 and doubles have 53. */
function fractions(count: number, root: (x: number) => number): Uint32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return Uint32Array.from(primes, (p) => Math.floor((root(p) % 1) * 2 ** 32));
}
