/** Weights that are made when a model is opened: written to a temporary file and mapped from there, so that memory holds one of them at a time. */
import { SetupError } from "../../base/errors.ts";
import { type FileWriter, scratchFile } from "../../io/files.ts";
import type { StoredWeight } from "../../onnx/index.ts";
import type { WeightSource } from "../../runtime/index.ts";

export interface ScratchWeights extends WeightSource {
  /** Frees the file. To be called once no more graphs are compiled with the weights. */
  readonly release: () => Promise<void>;
}

/** A weight whose bytes are in memory, made when its turn comes. */
export type MakeWeight = () => Promise<StoredWeight>;

const FILE = "weights";
/** Tensors start at a multiple of this. */
const ALIGNMENT = 64;
/** Fields of a weight that hold bytes. */
const FIELDS = ["data", "scale", "offset"] as const;

/** Without a disk, or if it has no space, the weights stay in memory. */
export async function scratchWeights(makers: ReadonlyMap<string, MakeWeight>): Promise<ScratchWeights> {
  const weights = new Map<string, StoredWeight>();
  try {
    const file = await scratchFile(FILE, async (writer) => {
      let size = 0;
      for (const [name, make] of makers) {
        const placed = await write(await make(), writer, size);
        weights.set(name, placed.weight);
        size = placed.end;
      }
    });
    if (file) {
      const { folder, remove: release } = file;
      return { folder, get: (name) => weights.get(name), release };
    }
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
  }
  for (const [name, make] of makers) weights.set(name, await make());
  return { get: (name) => weights.get(name), release: async () => weights.clear() };
}

async function write(
  weight: StoredWeight,
  writer: FileWriter,
  start: number,
): Promise<{ weight: StoredWeight; end: number }> {
  const places: Record<string, { file: string; offset: number; byteLength: number }> = {};
  let end = start;
  for (const field of FIELDS) {
    const bytes = (weight as Partial<Record<typeof field, Uint8Array>>)[field];
    if (!bytes) continue;
    await writer.writeFile(bytes);
    places[field] = { file: FILE, offset: end, byteLength: bytes.length };
    const padding = -bytes.length & (ALIGNMENT - 1);
    if (padding) await writer.writeFile(new Uint8Array(padding));
    end += bytes.length + padding;
  }
  return { weight: { ...weight, ...places }, end };
}
