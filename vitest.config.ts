import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "#thread": fileURLToPath(new URL("test/thread.ts", import.meta.url)) } },
  // The `imports` of package.json lead to src, not to what was built last.
  ssr: { resolve: { conditions: ["@seedling/source", "node", "module", "development|production"] } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/build.ts"],
    // Generous, as the fuzz and ONNX Runtime tests also run on busy machines with two cores.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
