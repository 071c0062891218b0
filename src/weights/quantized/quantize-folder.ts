/** A model folder -> the same with the weights of its linear layers as whole numbers. It loads like any other. */
import { UsageError } from "../../base/errors.ts";
import type { Outputs, Tensor } from "../../graph/index.ts";
import { isOfficialFolder, parseOfficialConfig } from "../../image-tokenizer/official/config.ts";
import { officialGraphs } from "../../image-tokenizer/official/graphs.ts";
import { MODEL_FILES, openSeedFolder } from "../../image-tokenizer/seed-folder.ts";
import { copyFile, fileSize, makeFolder } from "../../io/files.ts";
import { expectFree, listFolder, writeFolder } from "../../io/folder.ts";
import { dirname, join } from "../../io/paths.ts";
import { readLmConfig } from "../../models/lm-config.ts";
import { copyTensor } from "../copy-tensor.ts";
import { openCheckpoint, readJsonFile, type TensorFile, type TensorToWrite, writeSafetensors } from "../index.ts";
import { KEEP, linearWeights } from "./linear-weights.ts";
import { lmMatrices } from "./lm-matrices.ts";
import { quantizeBlocks, quantizeRows } from "./round.ts";
import { BITS, LAYOUT, scaleName } from "./stored.ts";

export interface QuantizeOptions {
  /** Default 8. */
  readonly bits?: 4 | 8;
  /**
   * Numbers that share a scale, a power of two from 16 to 256. Without it a row shares one, which is possible with 8 bits
   * only and is multiplied in whole numbers; blocks save memory where that counts more.
   */
  readonly block?: number;
  /** Names of tensors to leave as they are. Default: the small layers around the codebook and the heads. */
  readonly keep?: RegExp;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface QuantizeReport {
  readonly files: readonly {
    readonly file: string;
    readonly quantized: readonly string[];
    readonly bytesBefore: number;
    readonly bytesAfter: number;
  }[];
}

/** @throws UsageError for sizes that do not exist or a folder that is taken; the errors of opening a model folder. */
export async function quantizeFolder(from: string, to: string, options: QuantizeOptions = {}): Promise<QuantizeReport> {
  const { bits = 8, block, keep = KEEP } = options;
  if (bits === 4 && block === undefined)
    throw new UsageError("quantize: expected --block with 4 bits, got none. Try 32.");
  if (block !== undefined && ![16, 32, 64, 128, 256].includes(block))
    throw new UsageError(`quantize: expected a block of 16, 32, 64, 128 or 256, got ${block}.`);
  await expectFree(to);
  const { copied, parts } = await contentsOf(from);
  const opened = new Map<Part, TensorFile>();
  try {
    for (const part of parts) opened.set(part, await openCheckpoint(join(from, part.from ?? part.name)));
    for (const { path, metadata } of opened.values())
      if (metadata.has(BITS)) throw new UsageError(`${path}: expected floats, it is quantized already.`);
    const infos = [...opened.values()].flatMap((file) => [...file.tensors.values()]);
    const total = infos.reduce((sum, { byteLength }) => sum + byteLength, 0);
    let done = 0;
    const onRead = (bytes: number): void => {
      options.signal?.throwIfAborted();
      done += bytes;
      options.onProgress?.(done, total);
    };
    const files: QuantizeReport["files"][number][] = [];
    await writeFolder(to, async (temporary) => {
      for (const name of [...copied, ...parts.map(({ name }) => name)])
        await makeFolder(dirname(join(temporary, name)));
      for (const name of copied) await copyFile(join(from, name), join(temporary, name));
      for (const [{ name, roundable }, file] of opened) {
        const stored = (tensor: string): string => roundable.get(tensor) ?? tensor;
        const quantized = [...roundable.keys()].filter(
          (tensor) => file.tensors.has(stored(tensor)) && !keep.test(tensor),
        );
        const rounded = new Set(quantized);
        const tensors = [
          ...[...file.tensors.keys()]
            .filter((tensor) => !rounded.has(tensor))
            .map((t) => copyTensor(file, t, { onRead })),
          ...quantized.flatMap((tensor) => quantizedTensors(file, stored(tensor), tensor, { bits, block, onRead })),
        ];
        const metadata = { ...Object.fromEntries(file.metadata), [BITS]: String(bits), ...LAYOUT };
        await writeSafetensors(join(temporary, name), tensors, metadata);
        const [bytesBefore, bytesAfter] = await Promise.all([fileSize(file.path), fileSize(join(temporary, name))]);
        files.push({ file: name, quantized, bytesBefore, bytesAfter });
      }
    });
    return { files };
  } finally {
    for (const file of opened.values()) await file.close();
  }
}

/** Numbers and scales of the matrix `from`, stored as `name`. Each reads and rounds it anew, so that one tensor is in memory at a time. */
function quantizedTensors(
  file: TensorFile,
  from: string,
  name: string,
  { bits, block, onRead }: { bits: 4 | 8; block: number | undefined; onRead: (bytes: number) => void },
): TensorToWrite[] {
  const { shape, byteLength } = file.tensors.get(from)!;
  const [N, K] = shape as [number, number];
  const read = async (): Promise<{ data: Int8Array | Uint8Array; scale: Float32Array }> => {
    const w = await file.readFloat32(from);
    return block ? quantizeBlocks(w, N, bits, block) : quantizeRows(w, N);
  };
  const data = async (): Promise<Int8Array | Uint8Array> => {
    onRead(byteLength);
    return (await read()).data;
  };
  const scale = { name: scaleName(name), dtype: "F32", data: async () => (await read()).scale } as const;
  if (!block)
    return [
      { name, dtype: "I8", shape: [K, N], data },
      { ...scale, shape: [N] },
    ];
  const blocks = Math.ceil(K / block);
  return [
    { name, dtype: "U8", shape: [N, blocks, (block * bits) / 8], data },
    { ...scale, shape: [N, blocks] },
  ];
}

/** A file of weights in a folder. */
interface Part {
  readonly name: string;
  /** What is opened in its place: a folder, where several files become one. Default `name`. */
  readonly from?: string;
  /** Tensors that linear layers alone read, with the name in the file that they are read from. */
  readonly roundable: ReadonlyMap<string, string>;
}

/** The files of a folder: those that are copied, and those with weights. */
async function contentsOf(from: string): Promise<{ copied: string[]; parts: Part[] }> {
  const flat = (graphs: object): Tensor[] =>
    Object.values(graphs).flatMap((outputs: Outputs) => Object.values(outputs));
  const part = (name: string, graphs: object): Part => ({
    name,
    roundable: new Map([...linearWeights(flat(graphs))].map((tensor) => [tensor, tensor])),
  });
  const where = join(from, "config.json");
  if (await isOfficialFolder(from)) {
    const graphs = officialGraphs(parseOfficialConfig(await readJsonFile(where), where));
    return { copied: ["config.json"], parts: [part("model.safetensors", graphs)] };
  }
  if (await isLanguageModel(where)) {
    const roundable = lmMatrices(readLmConfig(await readJsonFile(where), where));
    const copied = (await listFolder(from)).filter((name) => /\.(json|txt|md|model|jinja)$/.test(name));
    const own = copied.filter((name) => !name.endsWith(".index.json"));
    return { copied: own, parts: [{ name: "model.safetensors", from: ".", roundable }] };
  }
  // The autoencoder is nearly all convolutions, which stay as they are.
  const { unet, vae: _, ...graphs } = (await openSeedFolder(from)).graphs;
  const parts = [part("model.safetensors", graphs), part("unet/model.safetensors", { unet })];
  const names = new Set(parts.map(({ name }) => name));
  return { copied: MODEL_FILES.filter((name) => !names.has(name)), parts };
}

/** A Hugging Face folder says its kind; our own folders say their format. */
async function isLanguageModel(config: string): Promise<boolean> {
  const json = (await readJsonFile(config).catch(() => undefined)) as { model_type?: unknown } | undefined | null;
  return json?.model_type !== undefined && !("format" in json);
}
