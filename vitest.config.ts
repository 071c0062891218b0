import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { globSync } from "tinyglobby";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const TESTS = ["src/**/*.test.ts", "test/**/*.test.ts"];
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What a test file does that a later one in the same process would notice: mocked modules and another environment. */
const CHANGES_ITS_PROCESS =
  /\bvi\.(mock|stubEnv|stubGlobal|useFakeTimers)\(|\bprocess\.(chdir\(|env\.\w+ =|env\[[^\]]+\] =)|\bObject\.defineProperty\((process|globalThis)\b/;
const apart = globSync(TESTS, { cwd: here(".") }).filter((file) =>
  CHANGES_ITS_PROCESS.test(readFileSync(here(file), "utf8")),
);

/** Commands and training take longest. They begin first, so that all cores are busy to the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const beside = ({ moduleId }: TestSpecification): number => Number(moduleId.startsWith(here("src/")));
    return (await super.sort(files)).sort((a, b) => beside(a) - beside(b));
  }
}

function project(name: string, test: TestProjectConfiguration["test"]): TestProjectConfiguration {
  return {
    resolve: { alias: { "#thread": here("test/thread.ts") } },
    // The `imports` of package.json lead to src, not to what was built last.
    ssr: { resolve: { conditions: ["@seedling/source", "node", "module", "development|production"] } },
    // Generous, as the fuzz and ONNX Runtime tests also run on busy machines with two cores.
    test: { name, setupFiles: ["test/setup.ts"], testTimeout: 120_000, hookTimeout: 120_000, ...test },
  };
}

export default defineConfig({
  test: {
    globalSetup: ["test/build.ts"],
    sequence: { sequencer: LongestFirst },
    maxWorkers: availableParallelism(), // by default one core is left idle
    // Loading the sources anew for each file takes a third of the time; only some files need that.
    projects: [
      project("apart", { include: apart, isolate: true }),
      project("together", { include: TESTS, exclude: apart, isolate: false }),
    ],
  },
});
