/** A judge of pictures of tiny sizes with random weights. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BACKGROUND_NAMES } from "../src/data/colors.ts";
import { input, normal, Params, paramAttrs } from "../src/graph/index.ts";
import { writeFileAtomic } from "../src/io/files.ts";
import { JUDGE, JUDGE_FILE, type JudgeConfig, judge } from "../src/models/judge.ts";
import { initialValues } from "../src/nn/index.ts";
import { writeSafetensors } from "../src/weights/index.ts";

/** Writes the folder. With threshold 0 every peak is seen. */
export async function writeTinyJudge(folder: string, nouns: readonly string[], threshold = 0): Promise<void> {
  const config: JudgeConfig = { size: 16, widths: [2, 4, 4], groups: 2, nouns, backgrounds: BACKGROUND_NAMES };
  const p = new Params();
  judge(p.at(JUDGE), input("pixels", ["B", 3, 16, 16]), config);
  const tensors = [...p.declared().values()].map(paramAttrs).map(({ path, shape, init }) => {
    const lively = shape.length > 1 ? normal(0.5) : init;
    return { name: path, dtype: "F32", shape, data: initialValues(path, shape, lively, 1) } as const;
  });
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, "weights.safetensors"), tensors);
  await writeFileAtomic(join(folder, JUDGE_FILE), JSON.stringify({ format: "seedling-judge-1", ...config, threshold }));
}
