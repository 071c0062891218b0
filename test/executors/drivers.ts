/** The executors that the suite runs on. */
import { constant, paramAttrs, sortNodes, type Tensor } from "../../src/graph/index.ts";
import { noWeights, Runtime, type Value, type Values } from "../../src/runtime/index.ts";
import type { Executor, ParamSource } from "./suite.ts";

/** ONNX Runtime in its worker. Parameters are stored in the model, or fed at each run as those that learn are. */
export function ortExecutor(name: string, runtime: Runtime, weights: "stored" | "fed"): Executor {
  return {
    name,
    async run(outputs: readonly Tensor[], feeds: Values, params: ParamSource): Promise<Value[]> {
      const get = (path: string): { dtype: "f32"; data: Uint8Array } => ({
        dtype: "f32",
        data: new Uint8Array(params(path).buffer),
      });
      const named = Object.fromEntries(outputs.map((t, i) => [`y${i}`, t]));
      const program = await runtime.compile(named, weights === "stored" ? { get } : noWeights);
      try {
        const fed = weights === "fed" ? { ...feeds, ...paramFeeds(outputs, params) } : feeds;
        const results = await program.run(fed);
        return outputs.map((_, i) => results[`y${i}`]!);
      } finally {
        await program.close();
      }
    },
    close: () => runtime.close(),
  };
}

/** The reasons that are the machine's; anything else that a device says is a fault of ours. */
const NO_ADAPTER = /Failed to get a WebGPU adapter/;

/** ONNX Runtime on a GPU, or without one the reason. A software Vulkan driver named by VK_DRIVER_FILES is enough. */
export async function webgpuExecutor(): Promise<Executor> {
  const runtime = new Runtime({ device: "webgpu", threads: 1 });
  const executor = ortExecutor("ONNX Runtime on WebGPU, stored weights", runtime, "stored");
  const skip = await whyNoGpu(runtime);
  if (skip) return { ...executor, skip };
  const trigonometric = 2 ** -11; // WGSL, "Floating Point Accuracy": no more is promised between -π and π
  return { ...executor, tolerances: { sin: trigonometric, cos: trigonometric } };
}

/** Why tests on WebGPU are skipped here, or undefined if there is an adapter. */
export async function whyNoGpu(runtime: Runtime): Promise<string | undefined> {
  try {
    await (await runtime.compile({ y: constant(1).neg() })).run({});
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && NO_ADAPTER.test(error.message))) throw error;
    return "no WebGPU adapter on this machine";
  }
}

function paramFeeds(outputs: readonly Tensor[], params: ParamSource): Values {
  const attrs = sortNodes(outputs).flatMap((node) => (node.op === "param" ? [paramAttrs(node.outputs[0]!)] : []));
  return Object.fromEntries(attrs.map(({ path, shape }) => [path, { shape, data: params(path) }]));
}
