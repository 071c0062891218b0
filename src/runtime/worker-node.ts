/** The worker thread in Node: sessions, and training on the CPU and on a GPU. */
import { parentPort } from "node:worker_threads";
import { GpuTrainer } from "./gpu-trainer.ts";
import type { Message, TrainSpec } from "./protocol.ts";
import { server } from "./serve.ts";
import { Trainer } from "./trainer.ts";

const train = (spec: TrainSpec) => (spec.device === "webgpu" ? GpuTrainer : Trainer).create(spec);
const answer = server({ train });

parentPort?.on("message", async (message: Message) => parentPort?.postMessage(await answer(message)));
parentPort?.postMessage("loaded");
