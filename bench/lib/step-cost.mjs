/** What a training step costs besides products, read from ONNX Runtime's profile: the same on every machine. */

const PRODUCTS = new Set(["Gemm", "MatMul", "FusedMatMul", "Conv", "FusedConv", "ConvTranspose"]);
/** Only a new shape for the same memory. */
const FREE = new Set(["Reshape", "Squeeze", "Unsqueeze", "Identity"]);
/** Bytes below which a node is not a pass over memory: weights' biases, scalars, shapes. */
const SMALL = 1e5;

/**
 * @param {string} profile what ONNX Runtime wrote
 * @returns nodes that ran in a step; passes: those over memory that are not products; megabytes read and written by these
 */
export function stepCost(profile) {
  const cost = { nodes: 0, passes: 0, megabytes: 0, byOp: {} };
  const seen = new Set();
  for (const { cat, name, args } of JSON.parse(profile)) {
    if (cat !== "Node" || !name.endsWith("_kernel_time") || seen.has(name)) continue;
    seen.add(name);
    cost.nodes++;
    const bytes = [...args.input_type_shape, ...args.output_type_shape].reduce((sum, t) => sum + bytesOf(t), 0);
    if (PRODUCTS.has(args.op_name) || FREE.has(args.op_name) || bytes < SMALL) continue;
    cost.passes++;
    cost.megabytes += bytes / 1e6;
    const { passes, megabytes } = cost.byOp[args.op_name] ?? { passes: 0, megabytes: 0 };
    cost.byOp[args.op_name] = { passes: passes + 1, megabytes: megabytes + bytes / 1e6 };
  }
  cost.megabytes = Math.round(cost.megabytes);
  return cost;
}

const WIDTH = { float: 4, int32: 4, int64: 8, bool: 1 };

function bytesOf(typed) {
  const [[type, shape]] = Object.entries(typed);
  return shape.reduce((product, dim) => product * dim, WIDTH[type] ?? 4);
}
