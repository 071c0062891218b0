/** Torch files by hand, zips and pickles, so that they can be wrong in any way. */
import { deflateRawSync } from "node:zlib";

export interface Member {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  flags?: number;
  method?: number;
  /** Lies of the central directory. */
  size?: number;
  packedSize?: number;
  offset?: number;
}

export function zip(members: Member[], { zip64 = false } = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const { name, data, deflate, flags = 0, method = deflate ? 8 : 0, ...lies } of members) {
    const stored = deflate ? deflateRawSync(data) : Buffer.from(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const directory = Buffer.alloc(46);
    directory.writeUInt32LE(0x02014b50, 0);
    directory.writeUInt16LE(flags, 8);
    directory.writeUInt16LE(method, 10);
    const values = [lies.size ?? data.length, lies.packedSize ?? stored.length, lies.offset ?? at];
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
    }
    for (const [i, field] of [24, 20, 42].entries()) directory.writeUInt32LE(zip64 ? 0xffffffff : values[i]!, field);
    directory.writeUInt16LE(name.length, 28);
    directory.writeUInt16LE(extra.length, 30);
    central.push(directory, Buffer.from(name), extra);
    parts.push(local, Buffer.from(name), stored);
    at += 30 + name.length + stored.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(zip64 ? 98 : 22);
  if (zip64) {
    end.writeUInt32LE(0x06064b50, 0);
    end.writeBigUInt64LE(BigInt(members.length), 32);
    end.writeBigUInt64LE(BigInt(directory.length), 40);
    end.writeBigUInt64LE(BigInt(at), 48);
    end.writeUInt32LE(0x07064b50, 56);
    end.writeBigUInt64LE(BigInt(at + directory.length), 64);
  }
  end.writeUInt32LE(0x06054b50, end.length - 22);
  end.writeUInt16LE(zip64 ? 0xffff : members.length, end.length - 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : directory.length, end.length - 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : at, end.length - 6);
  return Buffer.concat([...parts, directory, end]);
}

/** Values -> pickle instructions; `raw` stands for itself. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Value[]
  | { raw: Buffer }
  | { dict: [Value, Value][] }
  | { tuple: Value[] };

export function instructions(value: Value): Buffer {
  if (value === null) return Buffer.from("N");
  if (typeof value === "boolean") return Buffer.of(value ? 0x88 : 0x89);
  if (typeof value === "string")
    return Buffer.concat([Buffer.from("X"), u32(Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === "number") return Buffer.concat([Buffer.from("J"), u32(value)]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from("]("), ...value.map(instructions), Buffer.from("e")]);
  if ("raw" in value) return value.raw;
  const items = "tuple" in value ? value.tuple : value.dict.flat();
  const [open, close] = "tuple" in value ? ["(", "t"] : ["}(", "u"];
  return Buffer.concat([Buffer.from(open), ...items.map(instructions), Buffer.from(close)]);
}

export function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n >>> 0);
  return bytes;
}

export const named = (path: string): Value => ({ raw: Buffer.from(`c${path.replace(" ", "\n")}\n`) });
export const call = (name: string, ...args: Value[]): Value => ({
  raw: Buffer.concat([instructions(named(name)), instructions({ tuple: args }), Buffer.from("R")]),
});
export const storage = (type: string, key: string, length: number): Value => ({
  raw: Buffer.concat([
    instructions({ tuple: ["storage", named(`torch ${type}`), key, "cpu", length] }),
    Buffer.from("Q"),
  ]),
});
export const tensor = (from: Value, begin: number, shape: number[], strides: number[]): Value =>
  call(
    "torch._utils _rebuild_tensor_v2",
    from,
    begin,
    { tuple: shape },
    { tuple: strides },
    false,
    call("collections OrderedDict"),
  );

export const six = Buffer.from(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
export const pickle = (value: Value) => Buffer.concat([Buffer.of(0x80, 2), instructions(value), Buffer.from(".")]);
export const archive = (value: Value, more: Member[] = [{ name: "m/data/0", data: six }], options = {}) =>
  zip([{ name: "m/data.pkl", data: pickle(value) }, ...more], options);
export const plain: Value = { dict: [["w", tensor(storage("FloatStorage", "0", 6), 0, [2, 3], [3, 1])]] };
