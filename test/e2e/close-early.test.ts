/** A runtime that is closed, or whose process ends, while its thread still loads ONNX Runtime: Node aborts in the middle of that. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, inject, test } from "vitest";
import { childEnv, finished } from "./run.ts";

const RUNTIME = pathToFileURL(join(inject("build"), "dist/runtime/index.js")).href;

test.each([
  ["closed", "await runtime.close();"],
  ["left alone", ""],
])(
  "%s at any moment of loading",
  async (_, end) => {
    const script = `
      import { Runtime } from ${JSON.stringify(RUNTIME)};
      for (let wait = 0; wait < 160; wait += 16) {
        const runtime = new Runtime({ device: "cpu", threads: 1 });
        await new Promise((resolve) => setTimeout(resolve, wait));
        ${end}
      }
      console.log("done");`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { env: childEnv() });
    const { code, stdout, stderr } = await finished(child);
    expect({ code, stderr, said: stdout.toString() }).toEqual({ code: 0, stderr: "", said: "done\n" });
  },
  60_000,
);
