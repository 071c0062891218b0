// Compiles assembly/optimizer.ts to WebAssembly and writes it, as base64, into src/runtime/kernels.ts.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const out = join(mkdtempSync(join(tmpdir(), "seedling-")), "kernels.wasm");
const flags = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--importMemory"];
execFileSync("npx", ["asc", "assembly/optimizer.ts", ...flags, "--outFile", out], { stdio: "inherit" });
const text = readFileSync(out).toString("base64");
writeFileSync(
  "src/runtime/kernels.ts",
  `/** Generated from assembly/optimizer.ts by \`npm run kernels\`; do not edit. */\nexport const kernelsBase64 =\n  "${text}";\n`,
);
