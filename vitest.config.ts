import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Generous, as the fuzz and ONNX Runtime tests also run on busy machines with two cores.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
