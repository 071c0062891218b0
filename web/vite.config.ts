import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const rolldownOptions = { checks: { pluginTimings: false } };

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./", // the page works in any folder of a static host
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 1500,
    rolldownOptions,
  },
  worker: { format: "es", rolldownOptions },
  server: { proxy: { "/v1": "http://127.0.0.1:8332" } },
});
