/**
 * Are 8-bit products exact here? On x64 without VNNI, ONNX Runtime's kernel for u8 by i8 adds pairs of products in 16 bits
 * and overflows. Its setting `x64quantprecision` avoids that with u8 by u8, which is half as fast where it is not needed
 * (315 against 660 GOP/s measured with VNNI), and nothing tells which kind of machine this is, so we try it.
 */
import { ort } from "#ort";
import { writeModel } from "../onnx/proto.ts";

/** Rows, columns and terms enough for the kernel that large products take. */
const [M, N, K] = [8, 32, 64];

let known: Promise<boolean> | undefined;

/** True if the largest products add up exactly without the setting. */
export function exactProducts(): Promise<boolean> {
  known ??= tryProducts();
  return known;
}

async function tryProducts(): Promise<boolean> {
  const model = writeModel({
    nodes: [{ op: "MatMulInteger", inputs: ["x", "w"], outputs: ["y"] }],
    initializers: [{ name: "w", type: "i8", shape: [K, N], data: new Uint8Array(K * N).fill(127) }],
    inputs: [{ name: "x", type: "u8", shape: [M, K] }],
    outputs: [{ name: "y", type: "i32", shape: [M, N] }],
  });
  const sessions = await ort.sessions("cpu");
  const session = await sessions.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const { y } = await session.run({ x: new ort.Tensor("uint8", new Uint8Array(M * K).fill(255), [M, K]) });
  await session.release();
  const sums = (y?.data ?? []) as Int32Array;
  return sums.length > 0 && sums.every((sum) => sum === 255 * 127 * K);
}
