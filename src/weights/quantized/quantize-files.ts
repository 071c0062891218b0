/** A folder with weights -> the same with some of its matrices as integers. Every other file is copied. */
import { InputError, UsageError } from "../../base/errors.ts";
import { entry } from "../../base/item.ts";
import { copyFile, fileSize, kindOf, makeFolder } from "../../io/files.ts";
import { expectFree, listFolder, writeFolder } from "../../io/folder.ts";
import { dirname, join } from "../../io/paths.ts";
import { copyTensor } from "../copy-tensor.ts";
import { openCheckpoint, type TensorFile, type TensorToWrite, writeSafetensors } from "../index.ts";
import { KEEP } from "./linear-weights.ts";
import { quantizeBlocks, quantizeRows } from "./round.ts";
import { BITS, LAYOUT, scaleName } from "./stored.ts";

export interface QuantizeOptions {
  /** Default 8. */
  readonly bits?: 4 | 8;
  /**
   * Numbers that share a scale, a power of two from 16 to 256. Without it a row shares one, which is possible with 8 bits
   * only and is multiplied in integers; blocks save memory where that counts more.
   */
  readonly block?: number;
  /** Names of tensors to leave as they are. Default: the small layers around the codebook and the heads. */
  readonly keep?: RegExp;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Called with the new folder before it appears under its name. */
  readonly finish?: (folder: string) => Promise<void>;
}

export interface QuantizeReport {
  readonly files: readonly {
    readonly file: string;
    readonly quantized: readonly string[];
    readonly bytesBefore: number;
    readonly bytesAfter: number;
  }[];
  /** Files that were copied as they are. */
  readonly copied: readonly string[];
  /** Files that were left out: weights of a quantized part in another format. */
  readonly left: readonly string[];
}

/** Weights to quantize. */
export interface PartToQuantize {
  /** The file to write. */
  readonly name: string;
  /** What is opened in its place: a sub-folder, or "." for the folder itself, whose shards become one file. Default `name`. */
  readonly from?: string;
  /** Tensors that only linear layers read, with the name in the file that they are read from. */
  readonly roundable: ReadonlyMap<string, string>;
}

/** Files that hold weights: next to those of a quantized part, other ones are left out. */
const OTHER_WEIGHTS = /\.(bin|pt|pth|ckpt|h5|msgpack|ot|onnx|gguf|safetensors)$/;

/**
 * Writes the new folder `to`.
 * @throws UsageError for sizes that are not supported or a folder that exists; the errors of opening weights.
 */
export async function quantizeFiles(
  from: string,
  to: string,
  parts: readonly PartToQuantize[],
  options: QuantizeOptions = {},
): Promise<QuantizeReport> {
  const { bits = 8, block, keep = KEEP } = options;
  expectSizes(bits, block);
  await expectFree(to);
  const opened = new Map<PartToQuantize, TensorFile>();
  try {
    for (const part of parts) opened.set(part, await openCheckpoint(join(from, part.from ?? part.name)));
    for (const { path, metadata } of opened.values())
      if (metadata.has(BITS)) throw new UsageError(`${path}: expected floats, it is quantized already.`);
    const { copied, left } = await otherFiles(from, opened);
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
        const [bytesBefore, bytesAfter] = [await sizeOf(file), await fileSize(join(temporary, name))];
        files.push({ file: name, quantized, bytesBefore, bytesAfter });
      }
      await options.finish?.(temporary);
    });
    return { files, copied, left };
  } finally {
    for (const file of opened.values()) await file.close();
  }
}

function expectSizes(bits: 4 | 8, block: number | undefined): void {
  if (bits === 4 && block === undefined)
    throw new UsageError("quantize: expected a block with 4 bits, got none. Try 32.");
  if (block !== undefined && ![16, 32, 64, 128, 256].includes(block))
    throw new UsageError(`quantize: expected a block of 16, 32, 64, 128 or 256, got ${block}.`);
}

/** Everything in the folder that is not the weights of a part. */
async function otherFiles(
  from: string,
  opened: ReadonlyMap<PartToQuantize, TensorFile>,
): Promise<{ copied: string[]; left: string[] }> {
  const read = new Set([...opened.values()].flatMap((file) => [...file.tensors.values()].map((info) => info.file)));
  const whole = [...opened.keys()].flatMap(({ from }) => from ?? []);
  /** The folders whose weights become one file. */
  const gathered = new Set(whole.map((from) => (from === "." ? "" : from)));
  const others = (await allFiles(from)).filter((name) => !read.has(join(from, name)));
  const isLeft = (name: string): boolean =>
    gathered.has(name.split("/").slice(0, -1).join("/")) && (OTHER_WEIGHTS.test(name) || name.endsWith(".index.json"));
  return {
    copied: others.filter((name) => !isLeft(name)),
    left: others.filter((name) => isLeft(name) && !name.endsWith(".safetensors.index.json")),
  };
}

/** Deeper than any model folder; links may form cycles. */
const MAX_DEPTH = 8;

/** Files below a folder by their paths in it, those of version control left out. @throws InputError if it is too deep. */
async function allFiles(root: string, folder = "", depth = 0): Promise<string[]> {
  if (depth > MAX_DEPTH) throw new InputError(`${root}: expected a model folder, got one nested too deeply.`);
  const found: string[] = [];
  for (const name of await listFolder(join(root, folder))) {
    const path = folder ? `${folder}/${name}` : name;
    const kind = name === ".git" ? undefined : await kindOf(join(root, path));
    if (kind === "folder") found.push(...(await allFiles(root, path, depth + 1)));
    else if (kind === "file") found.push(path);
  }
  return found;
}

/** Bytes of all its shards. */
async function sizeOf({ tensors }: TensorFile): Promise<number> {
  const files = new Set([...tensors.values()].map(({ file }) => file));
  return (await Promise.all([...files].map(fileSize))).reduce((a, b) => a + b, 0);
}

/** Numbers and scales of the matrix `from`, stored as `name`. Each reads and rounds it again, so that one tensor is in memory at a time. */
function quantizedTensors(
  file: TensorFile,
  from: string,
  name: string,
  { bits, block, onRead }: { bits: 4 | 8; block: number | undefined; onRead: (bytes: number) => void },
): TensorToWrite[] {
  const { shape, byteLength } = entry(file.tensors, from);
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
