/** `seedling data`, `train` and `assemble` as processes, at toy size, and the examples of the library. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSceneSource, loadAtlas, openDataset } from "../../src/data/index.ts";
import { decodeImage, encodePng } from "../../src/image/index.ts";
import type { LogLine, TrainingRecord } from "../../src/training/index.ts";
import { childEnv, type Finished, finished, runProcess } from "./run.ts";

/** Processes that train start slowly on a busy machine. */
const TIMEOUT = 300_000;
const STAGES = ["clip", "causal-qformer", "codebook", "vae", "diffusion"];
const SIZE = 32;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-training-"));
});
afterAll(() => rm(root, { recursive: true }));

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Those that learn from any captioned picture, wherever its objects are. */
const recipe = (name: string): string => here(`../recipes/published/${name}.json`);

function seedling(...args: string[]): Promise<Finished> {
  return runProcess(args, { cwd: root });
}

function node(script: string, ...args: string[]) {
  return spawn(process.execPath, [here(script), ...args], { cwd: root, env: childEnv() });
}

/** Scenes of the committed sprites. */
const source = loadAtlas(here("../fixtures/sprites.bin.br")).then((atlas) =>
  createSceneSource(atlas, { split: "train", size: SIZE, questions: false }),
);
const pictureOf = ({ pixels }: { readonly pixels: Uint8Array }) => ({ width: SIZE, height: SIZE, data: pixels });

const data = (...args: string[]): Promise<Finished> => finished(node("./data-child.mjs", ...args));

describe("data", () => {
  test(
    "writes shards that load again, and a sheet",
    async () => {
      const { code, stdout, stderr } = await data("shards", "--count", "5", "--per-shard", "3", "--size", String(SIZE));
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "" });
      expect(stderr).toMatch(/^wrote 5 scenes in 2 shards, and contact-sheet\.png, to shards \([\d.]+ kB\)\n$/);
      const made = ["contact-sheet.png", "shard-000000.tar", "shard-000001.tar"];
      expect((await readdir(join(root, "shards"))).sort()).toEqual(made);
      const dataset = await openDataset(join(root, "shards", "*.tar"), { size: SIZE });
      expect([dataset.length, dataset.problems.size]).toEqual([5, 0]);
      expect((await dataset.get(0)).image.width).toBe(SIZE);
      const sheet = await decodeImage(await readFile(join(root, "shards", made[0]!)), "sheet");
      expect(sheet.width).toBeGreaterThan(SIZE * 5);

      // Shards of another run would be read together with the new ones.
      const small = ["shards", "--count", "2", "--per-shard", "3", "--size", String(SIZE)];
      expect(await data(...small)).toMatchObject({
        code: 2,
        stderr:
          "seedling: shards: expected a folder without shards, found 2 shards. Name another, or set overwrite to remove them.\n",
      });
      expect((await readdir(join(root, "shards"))).sort()).toEqual(made);
      await writeFile(join(root, "shards", "other.tar"), "");
      expect(await data(...small, "--overwrite")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("found other.tar"),
      });
      await rm(join(root, "shards", "other.tar"));
      const again = await data(...small, "--overwrite", "--json");
      expect(again).toMatchObject({ code: 0, stderr: "" });
      const said = again.stdout.toString().trim().split("\n");
      expect(said.map((line) => JSON.parse(line) as unknown)).toEqual([
        { file: join("shards", "shard-000000.tar"), bytes: expect.any(Number) },
        { file: join("shards", "contact-sheet.png"), bytes: expect.any(Number) },
      ]);
      expect((await readdir(join(root, "shards"))).sort()).toEqual(made.slice(0, 2));
    },
    TIMEOUT,
  );

  test(
    "Ctrl-C ends it with 130; whole shards stay, half a one does not",
    async () => {
      const child = node(
        "./data-child.mjs",
        "stopped",
        "--count",
        "1000000",
        "--per-shard",
        "4",
        "--size",
        String(SIZE),
      );
      while (!existsSync(join(root, "stopped", "shard-000000.tar"))) await new Promise((done) => setTimeout(done, 50));
      child.kill("SIGINT");
      const { code, stdout, stderr } = await finished(child);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 130, stdout: "" });
      expect(stderr).toMatch(/seedling: interrupted\n$/);
      const left = await readdir(join(root, "stopped"));
      expect(left).toContain("shard-000000.tar");
      for (const name of left) expect(name).toMatch(/^shard-\d{6}\.tar$/);
    },
    TIMEOUT,
  );

  test(
    "a folder that is a file, and a full disk, are one line and exit code 4; what is whole stays",
    async () => {
      await writeFile(join(root, "file"), "mine");
      expect(await data("file", "--count", "1")).toMatchObject({
        code: 4,
        stderr: "seedling: file: expected a folder, got a file. Choose another place.\n",
      });
      expect(await readFile(join(root, "file"), "utf8")).toBe("mine");
      if (!existsSync("/dev/full")) return;
      await mkdir(join(root, "full"));
      await symlink("/dev/full", join(root, "full", "shard-000001.tar"));
      const { code, stderr } = await data("full", "--count", "9", "--per-shard", "3", "--quiet");
      expect({ code, stderr }).toEqual({
        code: 4,
        stderr: `seedling: ${join("full", "shard-000001.tar")}: the disk is full; nothing was written. Free some space or choose another place.\n`,
      });
      expect((await readdir(join(root, "full"))).sort()).toEqual(["shard-000000.tar", "shard-000001.tar"]);
      expect((await openDataset(join(root, "full", "shard-000000.tar"), { size: SIZE })).length).toBe(3);
    },
    TIMEOUT,
  );
});

describe("train and assemble", () => {
  beforeAll(async () => {
    await mkdir(join(root, "photos"));
    const put = (name: string, contents: Uint8Array | string): Promise<void> =>
      writeFile(join(root, "photos", name), contents);
    for (let i = 0; i < 32; i++) {
      const scene = (await source).scene(i);
      await put(`${i}.png`, await encodePng(pictureOf(scene)));
      if (i > 0) await put(`${i}.txt`, scene.caption);
    }
    await mkdir(join(root, "good"));
    for (const name of ["1.png", "1.txt"]) await copyFile(join(root, "photos", name), join(root, "good", name));
    await put("broken.png", (await readFile(join(root, "photos", "1.png"))).subarray(0, 60));
    await put("broken.txt", "a broken picture");
  }, TIMEOUT);

  test(
    "the whole chain on a folder with a broken picture and a missing caption, and a model of it",
    async () => {
      const args = [...STAGES.map(recipe), "--run", "run", "--data", "photos", "--threads", "1", "--json"];
      const { code, stdout, stderr } = await seedling("train", ...args);
      expect(code, stderr).toBe(0);
      // Each once, although five recipes train on the folder; and how many there were.
      const problems = stderr
        .trim()
        .split("\n")
        .filter((line) => line.startsWith("seedling: "));
      expect(problems).toHaveLength(3);
      expect(problems[0]).toBe(
        `seedling: ${join("photos", "0.png")}: no caption. Put it into 0.txt next to the picture.`,
      );
      expect(problems[1]).toMatch(/^seedling: photos.broken\.png: .+\.$/);
      expect(problems[2]).toBe("seedling: left out of --data: 1 missing caption, 1 broken image");
      const logged = stdout
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(logged.filter(({ loss }) => Number.isFinite(loss))).toHaveLength(4 * STAGES.length);
      for (const stage of STAGES)
        expect((await stat(join(root, "run", stage, "weights.safetensors"))).size).toBeGreaterThan(100);

      const made = await seedling("assemble", "model", "--run", "run");
      expect({ ...made, stdout: made.stdout.toString() }).toEqual({ code: 0, stdout: "", stderr: "wrote model\n" });
      const codes = await seedling("tokenize", "photos/1.png", "--model", "model", "--threads", "1", "--json");
      expect(codes.code, codes.stderr).toBe(0);
      expect((JSON.parse(codes.stdout.toString()) as { codes: number[] }).codes).toHaveLength(32);

      // The model alone, taken apart, is a run folder from which a stage continues; and the same model once more.
      const apart = await seedling("disassemble", "model", "--run", "apart");
      expect({ ...apart, stdout: apart.stdout.toString() }).toEqual({
        code: 0,
        stdout: "",
        stderr: "wrote stages clip, causal-qformer, codebook, vae, diffusion to apart\n",
      });
      const again = await seedling("assemble", "model-again", "--run", "apart");
      expect(again.code, again.stderr).toBe(0);
      const hash = (folder: string): Promise<Buffer> => readFile(join(root, folder, "model.safetensors"));
      expect((await hash("model-again")).equals(await hash("model"))).toBe(true);
      const stage2 = JSON.parse(await readFile(recipe("codebook"), "utf8")) as Record<string, unknown>;
      const changes = { name: "on", continues: "codebook", weights: { contrast: 1 } };
      const model = here("../recipes/model-published.json");
      await writeFile(join(root, "on.json"), JSON.stringify({ ...stage2, ...changes, model }));
      const on = await seedling("train", "on.json", "--run", "apart", "--data", "good", "--threads", "1");
      expect(on.code, on.stderr).toBe(0);
      const twice = await seedling("disassemble", "model", "--run", "apart");
      expect(twice).toMatchObject({ code: 3, stderr: expect.stringMatching(/expected a run folder without a chain/) });
      const ends = async (stderr: RegExp): Promise<void> => {
        const ended = await seedling("disassemble", "model-again", "--run", "left");
        expect(ended.code).toBeGreaterThanOrEqual(3);
        expect(ended.stderr.trim()).toMatch(stderr);
        const left = await readdir(join(root, "left"), { recursive: true }).catch(() => []);
        expect(left.filter((name) => /\.(safetensors|json)$/.test(name))).toEqual([]);
      };
      await rm(join(root, "model-again", "vae", "diffusion_pytorch_model.safetensors"));
      await ends(/^seedling: model-again.vae.diffusion_pytorch_model\.safetensors: .*$/);
      const rounded = await seedling("quantize", "model", "-o", "rounded", "--bits", "8");
      expect(rounded.code, rounded.stderr).toBe(0);
      await rm(join(root, "model-again"), { recursive: true });
      await rename(join(root, "rounded"), join(root, "model-again"));
      await ends(/^seedling: .*: expected floats, got .*Name the model it was made from\.$/);
      const strange = await seedling("disassemble", "photos", "--run", "strange");
      expect(strange).toMatchObject({ code: 3, stderr: expect.stringMatching(/tokenizer\.json: no such file/) });
    },
    2 * TIMEOUT,
  );

  test(
    "wrong input: an unknown key, no recipe, no picture, no earlier stage",
    async () => {
      const clip = JSON.parse(await readFile(recipe("clip"), "utf8")) as Record<string, unknown>;
      await writeFile(join(root, "wrong.json"), JSON.stringify({ ...clip, learnRate: 1 }));
      await mkdir(join(root, "empty"));
      const ends = async (code: number, stderr: RegExp, ...args: string[]): Promise<void> => {
        const ended = await seedling(...args);
        expect(ended).toMatchObject({ code, stderr: expect.stringMatching(stderr) });
        expect(ended.stderr.trim()).not.toContain("\n");
      };
      await ends(3, /^seedling: wrong\.json: top level: Unrecognized key: "learnRate"\. See/, "train", "wrong.json");
      await ends(
        3,
        /^seedling: none\.json: expected a recipe or the folder of a chain, found none\./,
        "train",
        "none.json",
      );
      const on = (folder: string) => ["--data", folder, "--run", "other", "-q"];
      await ends(3, /^seedling: "empty": no picture with a caption\./, "train", recipe("clip"), ...on("empty"));
      await ends(4, /tokenizer of stage clip, found none\. Run/, "train", recipe("diffusion"), ...on("good"));
      await ends(
        2,
        /^seedling: --adapter: expected a recipe that tunes a language model first, got clip\./,
        "train",
        recipe("clip"),
        "--adapter",
        "x",
      );
      await mkdir(join(root, "planted", "codebook"), { recursive: true });
      await ends(
        2,
        /^seedling: .*see\.json: expected the chain of planted, which has a codebook of its own, got one recipe\. Train/,
        "train",
        here("../recipes/see.json"),
        "--run",
        "planted",
      );
      await ends(2, /^seedling: .*--steps/, "train", recipe("clip"), "--steps", "0");
      await ends(3, /^seedling: nowhere: no such run folder\. Check the path\./, "assemble", "out", "--run", "nowhere");
    },
    TIMEOUT,
  );

  test(
    "a run folder that is a file, and a full disk, are one line and exit code 4",
    async () => {
      await writeFile(join(root, "taken"), "mine");
      const train = (to: string) =>
        seedling("train", recipe("clip"), "--data", "photos", "--run", to, "--threads", "1");
      const { code, stderr } = await train("taken");
      expect({ code, last: stderr.trim().split("\n").at(-1) }).toEqual({
        code: 4,
        last: "seedling: taken: expected a folder, got a file. Choose another place.",
      });
      expect(await readFile(join(root, "taken"), "utf8")).toBe("mine");
      if (!existsSync("/dev/full")) return;
      await mkdir(join(root, "crowded", "clip"), { recursive: true });
      await symlink("/dev/full", join(root, "crowded", "clip", "log.jsonl"));
      const full = await train("crowded");
      expect(full.code).toBe(4);
      expect(full.stderr).toMatch(/^seedling: crowded.clip.log\.jsonl: the disk is full; nothing was written\./m);
      expect(full.stderr).not.toContain("bug");
    },
    TIMEOUT,
  );
});

describe("a chain", () => {
  const train = (...args: string[]) => node("./train-child.mjs", here("../recipes/chain"), "--threads", "1", ...args);

  test(
    "goes from nothing to an evaluated model folder by one command, which run again trains nothing",
    async () => {
      const { code, stdout, stderr } = await finished(train("--run", "chain", "--json"));
      const missed = "seedling: chain/model: missed tokenizer/codebook/usage: ";
      expect({ code, last: stderr.trim().split("\n").at(-1) }).toEqual({
        code: 1,
        last: expect.stringContaining(missed),
      });
      expect(stderr).toMatch(/^clip, phase 2 of 2, 2 steps: Every term\.$/m);
      expect(stderr).toMatch(/^reached clip\/recallMean: \S+, expected at least 0$/m);
      const lines = stdout.toString().trim().split("\n");
      for (const line of lines) expect(JSON.parse(line)).toEqual(expect.any(Object));
      const model = join(root, "chain", "model");
      expect(await readdir(model)).toEqual(
        expect.arrayContaining(["lm", "lm-adapter", "training.json", "unet", "vae"]),
      );
      const record = JSON.parse(await readFile(join(model, "training.json"), "utf8")) as TrainingRecord;
      expect(record.stages).toHaveLength(9);
      expect(Object.keys(record.scores)).toContain("tokenizer");
      await writeFile(join(root, "one.png"), await encodePng(pictureOf((await source).scene(1))));
      const codes = await seedling("tokenize", "one.png", "--model", model, "--threads", "1");
      expect(codes.code, codes.stderr).toBe(0);
      expect(codes.stdout.toString()).toMatch(/^(\d+ ){31}\d+$/m);

      const again = await finished(train("--run", "chain"));
      expect({ code: again.code, stdout: again.stdout.toString() }).toEqual({ code: 1, stdout: "" });
      expect(again.stderr.match(/^\S+ is finished$/gm)).toHaveLength(9);
      expect(again.stderr).toContain(missed);
      const changed = await finished(train("--run", "chain", "--steps", "1"));
      expect(changed).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/chain.vae: expected a run with the same recipe, got one with another\./),
      });
    },
    2 * TIMEOUT,
  );

  test(
    "SIGTERM saves first and says so then; the same command continues; two signals end it at once, without a crash",
    async () => {
      const stopped = train("--run", "stopped-chain", "--until", "vae", "--steps", "300");
      stopped.stdout.once("data", () => stopped.kill("SIGTERM"));
      const { code, stderr } = await finished(stopped);
      expect(code, stderr).toBe(143);
      const step = /^saved vae at step (\d+) of 300$/m.exec(stderr)![1]!;
      expect(stderr).toMatch(/^run the same command again to continue$/m);
      const folder = join(root, "stopped-chain", "vae");
      expect(await readdir(folder)).toContain(`checkpoint-${step}`);
      const twice = train("--run", "stopped-chain", "--until", "vae", "--steps", "300");
      twice.stdout.once("data", () => {
        twice.kill("SIGINT");
        setTimeout(() => twice.kill("SIGINT"), 20);
      });
      const ended = await finished(twice);
      expect([null, 130]).toContain(ended.code); // null: by the signal
      expect(ended.stderr).not.toMatch(/terminate called|Aborted|core dumped|bug/);
      const log = (await readFile(join(folder, "log.jsonl"), "utf8")).trim().split("\n");
      const trained = log.map((line) => JSON.parse(line) as LogLine).filter(({ loss }) => loss !== undefined);
      const steps = trained.map(({ step }) => step);
      expect(steps).toEqual(steps.map((_, at) => at + 1)); // it continued
    },
    TIMEOUT,
  );
});

test(
  "the example of the library runs",
  async () => {
    const { code, stdout, stderr } = await finished(node("../../examples/tokenize.mjs"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.toString().trim().split("\n");
    for (const [i, name] of ["balloon-and-pigs.png", "turtle.png", "rocket-and-car.jpg"].entries())
      expect(lines[i]).toMatch(new RegExp(`^${name}( \\d+){32}$`));
    const near = lines[3]!.match(/-?\d\.\d\d/g)!.map(Number);
    expect(near.indexOf(Math.max(...near))).toBe(1); // the turtle is what is nearest to “a big turtle”
    expect((await decodeImage(await readFile(join(root, "decoded.png")), "decoded")).width).toBe(64);
  },
  TIMEOUT,
);

test(
  "the example of the language model runs",
  async () => {
    const { code, stdout, stderr } = await finished(node("../../examples/language.mjs"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.toString().trim().split("\n");
    expect(lines[0]).toMatch(/^it shows: .*turtle/);
    expect(lines[1]).toMatch(/^how many things are there\? \w+/);
    expect(lines.find((line) => line.startsWith("it draws:"))).toMatch(/^it draws:( \d+){32}$/);
    expect((await decodeImage(await readFile(join(root, "drawn.png")), "drawn")).width).toBe(64);
  },
  TIMEOUT,
);
