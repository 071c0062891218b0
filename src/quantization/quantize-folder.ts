/** A model folder -> the same with the weights of its linear layers as whole numbers. It loads like any other. */
import { copyFile, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { copyTensor } from "../checkpoint/copy-tensor.ts";
import {
  openSafetensors,
  readJsonFile,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "../checkpoint/index.ts";
import { UsageError } from "../errors.ts";
import { expectFree, writeFolder } from "../folder.ts";
import type { Tensor } from "../graph/index.ts";
import { isOfficialFolder, parseOfficialConfig } from "../official/config.ts";
import { officialGraphs } from "../official/graphs.ts";
import type { Outputs } from "../tokenizer/graphs.ts";
import { MODEL_FILES, openSeedFolder } from "../tokenizer/seed-folder.ts";
import { linearWeights } from "./linear-weights.ts";
import { quantizeBlocks, quantizeRows } from "./round.ts";
import { BITS, scaleName } from "./stored.ts";

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

/** A code is the nearest of thousands; what is rounded just before that, or just after, costs codes and saves nothing. */
const KEEP = /^(encode_task_layer|decode_task_layer|vision_proj|text_proj|image_down|distill_\w+_proj)\./;

/** @throws UsageError for sizes that do not exist or a folder that is taken; the errors of opening a model folder. */
export async function quantizeFolder(from: string, to: string, options: QuantizeOptions = {}): Promise<QuantizeReport> {
  const { bits = 8, block, keep = KEEP } = options;
  if (bits === 4 && block === undefined)
    throw new UsageError("quantize: expected --block with 4 bits, got none. Try 32.");
  if (block !== undefined && ![16, 32, 64, 128, 256].includes(block))
    throw new UsageError(`quantize: expected a block of 16, 32, 64, 128 or 256, got ${block}.`);
  await expectFree(to);
  const { copied, weights } = await contentsOf(from);
  const opened = new Map<string, SafetensorsFile>();
  try {
    for (const name of Object.keys(weights)) opened.set(name, await openSafetensors(join(from, name)));
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
      for (const name of [...copied, ...opened.keys()])
        await mkdir(dirname(join(temporary, name)), { recursive: true });
      for (const name of copied) await copyFile(join(from, name), join(temporary, name));
      for (const [name, file] of opened) {
        const linear = linearWeights(weights[name]!);
        const quantized = [...file.tensors.keys()].filter((tensor) => linear.has(tensor) && !keep.test(tensor));
        const chosen = new Set(quantized);
        const tensors = [...file.tensors.keys()].flatMap((tensor): TensorToWrite[] =>
          chosen.has(tensor)
            ? quantizedTensors(file, tensor, { bits, block, onRead })
            : [copyTensor(file, tensor, { onRead })],
        );
        const metadata = { ...Object.fromEntries(file.metadata), [BITS]: String(bits) };
        await writeSafetensors(join(temporary, name), tensors, metadata);
        const [before, after] = await Promise.all([stat(file.path), stat(join(temporary, name))]);
        files.push({ file: name, quantized, bytesBefore: before.size, bytesAfter: after.size });
      }
    });
    return { files };
  } finally {
    for (const file of opened.values()) await file.close();
  }
}

/** Numbers and scales of one matrix. Each reads and rounds it anew, so that one tensor is in memory at a time. */
function quantizedTensors(
  file: SafetensorsFile,
  name: string,
  { bits, block, onRead }: { bits: 4 | 8; block: number | undefined; onRead: (bytes: number) => void },
): TensorToWrite[] {
  const { shape, byteLength } = file.tensors.get(name)!;
  const [N, K] = shape as [number, number];
  const read = async (): Promise<{ data: Int8Array | Uint8Array; scale: Float32Array }> => {
    const w = await file.readFloat32(name);
    return block ? quantizeBlocks(w, N, bits, block) : quantizeRows(w, N);
  };
  const data = async (): Promise<Int8Array | Uint8Array> => {
    onRead(byteLength);
    return (await read()).data;
  };
  const scale = { name: scaleName(name), dtype: "F32", data: async () => (await read()).scale } as const;
  if (!block)
    return [
      { name, dtype: "I8", shape, data },
      { ...scale, shape: [N] },
    ];
  const blocks = Math.ceil(K / block);
  return [
    { name, dtype: "U8", shape: [N, blocks, (block * bits) / 8], data },
    { ...scale, shape: [N, blocks] },
  ];
}

/** The files of a folder: those that are copied, and those with weights, each with the graphs that read it. */
async function contentsOf(from: string): Promise<{ copied: string[]; weights: Record<string, Tensor[]> }> {
  const flat = (graphs: object): Tensor[] =>
    Object.values(graphs).flatMap((outputs: Outputs) => Object.values(outputs));
  if (await isOfficialFolder(from)) {
    const where = join(from, "config.json");
    const graphs = officialGraphs(parseOfficialConfig(await readJsonFile(where), where));
    return { copied: ["config.json"], weights: { "model.safetensors": flat(graphs) } };
  }
  // The autoencoder is nearly all convolutions, which stay as they are.
  const { unet, vae: _, ...graphs } = (await openSeedFolder(from)).graphs;
  const weights = { "model.safetensors": flat(graphs), "unet/model.safetensors": flat({ unet }) };
  return { copied: MODEL_FILES.filter((name) => !(name in weights)), weights };
}
