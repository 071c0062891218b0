/** The recipe that a drawing's PNG file carries: `tEXt` and `iTXt` chunks with the keyword "seedling". */

export interface DrawingRecipe {
  readonly prompt: string;
  readonly codes: readonly number[];
  readonly seed: number;
  readonly temperature: number;
  /** Undefined: as the model says. */
  readonly guidanceScale?: number;
}

/** As the library writes it (`DrawingNote`). */
interface Note {
  readonly prompt: string;
  readonly codes: readonly number[];
  readonly seed: number;
  readonly sampling?: { readonly temperature?: number };
  readonly decoding?: { readonly guidanceScale?: number | null };
  /** The same in notes of the first format. */
  readonly painting?: Note["decoding"];
}

const KEYWORD = "seedling";

/** The recipe of a PNG file that was drawn here, if it has one that can be understood. */
export async function readRecipe(file: Blob): Promise<DrawingRecipe | undefined> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const view = new DataView(bytes.buffer);
  if (bytes.length < 16 || view.getUint32(0) !== 0x89504e47) return undefined;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IEND") return undefined;
    if (type === "tEXt" || type === "iTXt") {
      const text = new TextDecoder(type === "tEXt" ? "latin1" : "utf-8").decode(body);
      if (text.startsWith(`${KEYWORD}\0`)) return parseRecipe(text.slice(text.lastIndexOf("\0") + 1));
    }
    at += 12 + length;
  }
  return undefined;
}

function parseRecipe(text: string): DrawingRecipe | undefined {
  try {
    const { prompt, codes, seed, sampling, painting, decoding = painting } = JSON.parse(text) as Note;
    const [temperature, guidance] = [sampling?.temperature ?? 1, decoding?.guidanceScale ?? undefined];
    const valid =
      typeof prompt === "string" &&
      Number.isInteger(seed) &&
      typeof temperature === "number" &&
      (guidance === undefined || typeof guidance === "number") &&
      Array.isArray(codes) &&
      codes.length === 32 &&
      codes.every((code) => Number.isInteger(code) && code >= 0);
    return valid ? { prompt, codes, seed, temperature, guidanceScale: guidance } : undefined;
  } catch {
    return undefined;
  }
}
