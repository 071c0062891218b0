/** Training on several processes of a real MPI, as a user starts them. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childEnv, type Finished, finished } from "../e2e/run.ts";
import { here, LAUNCHERS, OPEN_MPI_OPTIONS, REQUIRED, ranks } from "./launch.ts";

/** Generous: every test starts several processes, also on a busy machine of two cores. */
const TIMEOUT = 900_000;
const TRAIN = here("../e2e/train-child.mjs");
const STEPS = 6;

let root: string;
let recipe: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-mpi-"));
  recipe = join(root, "vae.json");
  await writeFile(recipe, JSON.stringify(recipeOf({})));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const recipeOf = (changes: object): object => ({
  ...{ extends: here("../recipes/vae.json"), steps: STEPS, saveEvery: 2, warmup: 0, evaluateEvery: 100, ...changes },
});
const args = (run: string, path = recipe): string[] => [
  TRAIN,
  path,
  "--run",
  join(root, run),
  "--json",
  "--threads",
  "1",
];
const weights = (run: string): Promise<Buffer> => readFile(join(root, run, "vae", "weights.safetensors"));
const steps = ({ stdout }: Finished): number[] =>
  stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ loss }) => loss !== undefined)
    .map(({ step }) => step);

test("MPI is there where it is required", () => {
  if (REQUIRED) expect(LAUNCHERS["Open MPI"] && LAUNCHERS.MPICH).toBeTruthy();
});

describe.each(["Open MPI", "MPICH"] as const)("%s", (mpi) => {
  test.skipIf(!LAUNCHERS[mpi])(
    "sums, gathers and waits; while a rank waits its event loop turns",
    async () => {
      const { code, stdout, stderr } = await finished(ranks(mpi, 3, [here("./ranks-child.mjs")]));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { version, turned, ...rest } = JSON.parse(stdout.toString());
      expect(version).toMatch(new RegExp(`^${mpi} `));
      expect(rest).toEqual({
        ...{ size: 3, wrong: -1, given: [1, -0.5] },
        texts: ["é0", "xxxxxxxé1", "xxxxxxxxxxxxxxé2"],
      });
      for (const ticks of turned) expect(Number(ticks)).toBeGreaterThan(2);
    },
    TIMEOUT,
  );
});

describe.skipIf(!LAUNCHERS["Open MPI"])("training on two ranks", () => {
  const onTwo = (run: string, ...more: string[]) => ranks("Open MPI", 2, [...args(run), ...more]);

  test(
    "logs once, and ends with the weights of one process; killed and resumed, with its own bits",
    async () => {
      const together = await finished(onTwo("together"));
      expect(together).toMatchObject({ code: 0 });
      expect(together.stderr.match(/^rank 0 prepares vae; the other 1 wait$/gm)).toHaveLength(1);
      expect(steps(together)).toEqual([1, 2, 3, 4, 5, 6]);
      const alone = await finished(spawn(process.execPath, args("alone"), { env: childEnv() }));
      const [loss, other] = [alone, together].map(({ stdout }) => JSON.parse(stdout.toString().split("\n")[0]!).loss);
      expect(other / loss).toBeCloseTo(1, 6);

      // One rank dies; the other one does not train on, and does not wait forever.
      const child = onTwo("killed");
      let begun = 0;
      createInterface({ input: child.stdout }).on("line", async (line) => {
        if (JSON.parse(line).step !== 3 || begun > 0) return;
        begun = performance.now();
        process.kill(await childOf(child.pid!, 1), "SIGKILL");
      });
      const killed = await finished(child);
      expect(killed.code).not.toBe(0);
      expect(performance.now() - begun).toBeLessThan(20_000);
      expect(await readdir(join(root, "killed", "vae"))).toContain("checkpoint-2");
      const resumed = await finished(onTwo("killed", "--resume"));
      expect(resumed).toMatchObject({ code: 0 });
      expect(steps(resumed)[0]).toBeGreaterThan(1);
      expect((await weights("killed")).equals(await weights("together"))).toBe(true);
    },
    TIMEOUT,
  );

  test(
    "ranks with another recipe are refused in one line",
    async () => {
      const other = join(root, "other.json");
      await writeFile(other, JSON.stringify(recipeOf({ seed: 9 })));
      const command = (path: string): string[] => ["-n", "1", process.execPath, ...args("differing", path)];
      const both = [...OPEN_MPI_OPTIONS, ...command(recipe), ":", ...command(other)];
      const { code, stderr } = await finished(spawn(LAUNCHERS["Open MPI"]!, both, { env: childEnv() }));
      expect({ code, stderr: stderr.trim().split("\n") }).toEqual({
        code: 3,
        stderr: [
          expect.stringMatching(
            /vae\.json: expected the same recipe on all ranks, got another on rank 1 \(.+\)\. Give/,
          ),
        ],
      });
    },
    TIMEOUT,
  );

  test(
    "a rank that fails by itself says why, and ends the others",
    async () => {
      const command = (...more: string[]): string[] => ["-n", "1", process.execPath, ...args("one-fails"), ...more];
      const both = [...OPEN_MPI_OPTIONS, ...command(), ":", ...command("--until", "vae")];
      const { code, stderr } = await finished(spawn(LAUNCHERS["Open MPI"]!, both, { env: childEnv() }));
      expect(code).toBe(2);
      expect(stderr).toMatch(/^seedling: rank 1 of 2: --until: expected the folder of a chain, got recipe files\.$/m);
    },
    TIMEOUT,
  );

  test(
    "own pictures: planned once, and trained by both ranks",
    async () => {
      const own = ["--data", here("../../data/own-pictures"), "--steps", "1", "--until", "clip"];
      const { code, stdout, stderr } = await finished(
        ranks("Open MPI", 2, [...args("own", here("../../recipes/own")), ...own]),
      );
      expect(code, stderr).toBe(0);
      expect(stderr.match(/^42 pictures to learn from, 8 held out/gm)).toHaveLength(1);
      const losses = stdout
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .filter(({ loss }) => loss);
      expect(losses).toHaveLength(2);
      expect(await readdir(join(root, "own"))).toEqual(expect.arrayContaining(["vae", "clip"]));
    },
    TIMEOUT,
  );

  test(
    "twins are trained by one process: several are refused in one line, before anything is made",
    async () => {
      const { code, stderr } = await finished(ranks("Open MPI", 2, args("twins", here("../../recipes/paper"))));
      const problems = stderr.split("\n").filter((line) => line.startsWith("seedling:"));
      expect({ code, problems }).toEqual({
        code: 2,
        problems: [
          expect.stringMatching(/paper: expected one process, which trains one arm after another, got 2 ranks\.$/),
        ],
      });
      expect(await readdir(root)).not.toContain("twins");
    },
    TIMEOUT,
  );

  test(
    "a batch that cannot be divided is refused once",
    async () => {
      const { code, stderr } = await finished(ranks("Open MPI", 3, args("three")));
      const problems = stderr.split("\n").filter((line) => line.startsWith("seedling:"));
      expect({ code, problems }).toEqual({
        code: 3,
        problems: [
          expect.stringMatching(/vae: batch: expected a multiple of 3 \(ranks times pieces\), got 8\. Change/),
        ],
      });
    },
    TIMEOUT,
  );
});

test(
  "without the library one line says what is missing",
  async () => {
    const env = {
      ...childEnv(),
      OMPI_COMM_WORLD_SIZE: "2",
      OMPI_COMM_WORLD_RANK: "0",
      SEEDLING_MPI: "/nowhere/libmpi.so",
    };
    const { code, stderr } = await finished(spawn(process.execPath, args("none"), { env }));
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: expect.stringMatching(
        /^seedling: MPI: expected one of the libraries \/nowhere\/libmpi\.so, could load none \(.+\)\. Install the MPI of your mpirun, or set SEEDLING_MPI to the path of its library\.\n$/,
      ),
    });
  },
  TIMEOUT,
);

test.skipIf(!LAUNCHERS["Open MPI"] || !LAUNCHERS.MPICH)(
  "launcher and library of two MPIs are told apart",
  async () => {
    const { code, stderr } = await finished(ranks("MPICH", 2, args("two"), { SEEDLING_MPI: "libmpi.so.40" }));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/MPI: expected 2 ranks, as mpiexec \(MPICH\) started them, got 1 by Open MPI v/);
  },
  TIMEOUT,
);

/** Process id of a rank below the launcher. */
async function childOf(launcher: number, index: number): Promise<number> {
  const children = await readFile(`/proc/${launcher}/task/${launcher}/children`, "utf8");
  return Number(children.trim().split(" ")[index]);
}
