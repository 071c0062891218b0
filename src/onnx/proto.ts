/** The part of protobuf that an ONNX file needs, and the messages of onnx.proto3 that we write. */

/** Element types of onnx.proto3. */
export const OnnxType = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 } as const;
export type OnnxTypeName = keyof typeof OnnxType;

/** Arrays of this many bytes or more are not copied until the whole message is assembled. */
const LARGE = 4096;
const encoder = new TextEncoder();

export class Message {
  /** What comes before the tail. */
  readonly #parts: Uint8Array[] = [];
  #partsSize = 0;
  #tail = new Uint8Array(64);
  /** Bytes of the tail that are written. */
  #at = 0;

  get #size(): number {
    return this.#partsSize + this.#at;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#tail.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#tail.length, this.#at + bytes));
    grown.set(this.#tail.subarray(0, this.#at));
    this.#tail = grown;
  }

  #append(bytes: Uint8Array): this {
    if (bytes.length < LARGE) {
      this.#reserve(bytes.length);
      this.#tail.set(bytes, this.#at);
      this.#at += bytes.length;
      return this;
    }
    this.#parts.push(this.#tail.subarray(0, this.#at), bytes);
    this.#partsSize += this.#at + bytes.length;
    this.#tail = new Uint8Array(64);
    this.#at = 0;
    return this;
  }

  #varint(value: number | bigint): this {
    this.#reserve(10);
    if (typeof value === "number" && value >= 0) {
      let rest = value;
      for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#tail[this.#at++] = (rest % 0x80) | 0x80;
      this.#tail[this.#at++] = rest;
      return this;
    }
    let rest = BigInt.asUintN(64, BigInt(value)); // negative numbers are written in two's complement
    for (; rest >= 0x80n; rest >>= 7n) this.#tail[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#tail[this.#at++] = Number(rest);
    return this;
  }

  int(field: number, value: number | bigint): this {
    return this.#varint(field << 3).#varint(value);
  }

  float(field: number, value: number): this {
    return this.#varint((field << 3) | 5).#append(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#varint((field << 3) | 2)
      .#varint(value.length)
      .#append(value);
  }

  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  message(field: number, value: Message): this {
    this.#varint((field << 3) | 2).#varint(value.#size);
    for (const part of value.#parts) this.#append(part);
    return this.#append(value.#tail.subarray(0, value.#at));
  }

  finish(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#size);
    let at = 0;
    for (const part of [...this.#parts, this.#tail.subarray(0, this.#at)]) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

export type Attribute = number | { readonly float: number } | string | readonly number[];

function attribute(name: string, value: Attribute): Message {
  const m = new Message().text(1, name);
  if (typeof value === "number") return m.int(3, value).int(20, 2);
  if (typeof value === "string") return m.text(4, value).int(20, 3);
  if ("float" in value) return m.float(2, value.float).int(20, 1);
  for (const item of value) m.int(8, item);
  return m.int(20, 7);
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

/** Where the bytes of an initializer are: here, or in a file next to the model. */
export type TensorBytes = Uint8Array | { readonly file: string; readonly offset: number; readonly byteLength: number };

export interface Initializer {
  readonly name: string;
  readonly type: OnnxTypeName;
  readonly shape: readonly number[];
  readonly data: TensorBytes;
}

export interface ValueInfo {
  readonly name: string;
  readonly type: OnnxTypeName;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

function nodeProto({ op, inputs, outputs, attributes = {}, domain }: OnnxNode, index: number): Message {
  const m = new Message();
  for (const name of inputs) m.text(1, name);
  for (const name of outputs) m.text(2, name);
  m.text(3, `${op}_${index}`).text(4, op);
  for (const [name, value] of Object.entries(attributes)) m.message(5, attribute(name, value));
  return domain ? m.text(7, domain) : m;
}

function tensorProto({ name, type, shape, data }: Initializer): Message {
  const m = new Message();
  for (const dim of shape) m.int(1, dim);
  m.int(2, OnnxType[type]).text(8, name);
  if (data instanceof Uint8Array) return m.bytes(9, data);
  const entries = { location: data.file, offset: String(data.offset), length: String(data.byteLength) };
  for (const [key, value] of Object.entries(entries)) m.message(13, new Message().text(1, key).text(2, value));
  return m.int(14, 1);
}

function valueProto({ name, type, shape }: ValueInfo): Message {
  const dims = new Message();
  for (const dim of shape)
    dims.message(1, typeof dim === "number" ? new Message().int(1, dim) : new Message().text(2, dim));
  const tensor = new Message().int(1, OnnxType[type]).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

const OPSET = 21;
const IR_VERSION = 10;

/** A whole ModelProto. */
export function writeModel({ nodes, initializers, inputs, outputs }: OnnxModel): Uint8Array<ArrayBuffer> {
  const graph = new Message();
  for (const [i, node] of nodes.entries()) graph.message(1, nodeProto(node, i));
  graph.text(2, "seedling");
  for (const tensor of initializers) graph.message(5, tensorProto(tensor));
  for (const value of inputs) graph.message(11, valueProto(value));
  for (const value of outputs) graph.message(12, valueProto(value));
  const model = new Message().int(1, IR_VERSION).text(2, "seedling").message(7, graph);
  model.message(8, new Message().text(1, "").int(2, OPSET));
  model.message(8, new Message().text(1, "com.microsoft").int(2, 1));
  return model.finish();
}
