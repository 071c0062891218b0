/**
 * Keeps an installation from failing where ONNX Runtime's install script cannot download. On Linux x64 that script fetches
 * libraries for CUDA, which Seedling does not use, and without access to NuGet it ends the whole installation. npm runs
 * this first: it tries that script, and if it fails leaves empty files in place of the libraries, which is how the script
 * knows that there is nothing to fetch. To get the libraries later: `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const LIBRARIES = ["cuda", "shared", "tensorrt"].map((name) => `libonnxruntime_providers_${name}.so`);

if (process.platform === "linux" && process.arch === "x64") {
  const folder = onnxRuntime();
  const libraries = LIBRARIES.map((name) => join(folder ?? "", "bin", "napi-v6", "linux", "x64", name));
  if (folder && spawnSync(process.execPath, [join(folder, "script", "install.js")], { cwd: folder }).status !== 0)
    for (const path of libraries) if (!existsSync(path)) writeFileSync(path, "");
}

/** The folder of onnxruntime-node, if it is installed already. */
function onnxRuntime() {
  try {
    return dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  } catch {
    return undefined;
  }
}
