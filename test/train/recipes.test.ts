/** Every stage of the chain at toy size, one after the other, with all terms of its loss; and the model folders they make. */
import { copyFile, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/index.ts";
import { SeedTokenizer } from "../../src/image-tokenizer/seed-tokenizer.ts";
import { assemble } from "../../src/training/chain/assemble.ts";
import { disassemble } from "../../src/training/chain/disassemble.ts";
import type { Sources } from "../../src/training/index.ts";
import {
  CODES,
  expectSum,
  loadJson,
  logged,
  type RecipeRuns,
  recipeFile,
  recipeRuns,
  stopAfter,
  TIMEOUT_MS,
} from "./recipe-runs.ts";

let runs: RecipeRuns;
beforeAll(async () => {
  runs = await recipeRuns();
});
afterAll(() => runs.close());

/** A run folder with the tokenizer alone, for recipes that are refused before they read weights. */
async function refusing(): Promise<string> {
  const root = await mkdtemp(join(runs.root, "refused-"));
  await copyFile(join(runs.root, "tokenizer.json"), join(root, "tokenizer.json"));
  return root;
}

const paths = (weights: ReadonlyMap<string, unknown>, prefix: string): string[] =>
  [...weights.keys()].filter((path) => path.startsWith(`${prefix}.`));

test(
  "a stage cannot run before the ones it builds on",
  async () => {
    await expect(runs.run("diffusion")).rejects.toThrow(
      /tokenizer\.json: expected the tokenizer of stage clip, found none\. Run that stage first\.$/,
    );
    await expect(runs.run("diffusion")).rejects.toMatchObject({ exitCode: 4 });
    // The text encoder begins alone; then the tower is to keep the latents of an autoencoder that is not there.
    await expect(runs.run("clip", { root: join(runs.root, "early") })).rejects.toThrow(
      /vae\/weights\.safetensors: expected the weights of an earlier stage, found none\. Run that stage first\.$/,
    );
  },
  TIMEOUT_MS,
);

test(
  "vae learns to give pictures back, at latents of unit variance, and continues with the same bits",
  async () => {
    await runs.run("vae", stopAfter(3));
    const { lines, weights } = await runs.run("vae", { resume: true });
    const whole = await runs.run("vae", { root: join(runs.root, "undisturbed") });
    expect(weights).toEqual(whole.weights);
    const losses = logged(whole.lines, "loss");
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    // Mean and deviation of each channel, measured once the weights are final.
    for (const name of ["mean", "std"]) expect(weights.get(`vae.latents_${name}`)).toHaveLength(6);
    expect([...weights.get("vae.latents_std")!].every((x) => x > 0 && x !== 1)).toBe(true);
    expect(await runs.weightsOf("vae")).toEqual(weights);
    expect(logged(lines, "validation/latentDeviation")[0]).toBeCloseTo(1, 0);
    expect(logged(lines, "validation/decibels")[0]).toBeGreaterThan(0);
    const sheet = await decodeImage(await readFile(join(runs.root, "vae", "samples-000004.png")), "sheet");
    expect(sheet.width).toBe(6 + 8 * (64 + 6));
  },
  TIMEOUT_MS,
);

describe("clip", () => {
  test(
    "learns, stops in either phase, and continues with the bits of a run that did not stop",
    async () => {
      const first = await runs.run("clip", stopAfter(1));
      expect(first).toMatchObject({ step: 1, finished: false });
      expect(paths(first.weights, "visual_encoder")).toEqual([]); // there is no tower yet
      let phase = 0;
      const stop = new AbortController();
      const second = await runs.run("clip", {
        resume: true,
        signal: stop.signal,
        onPhase: (_, number) => {
          phase = number;
        },
        onLine: ({ step, loss }) => {
          if (phase === 2 && step === 3 && loss !== undefined) stop.abort();
        },
      });
      expect(second).toMatchObject({ step: 3, finished: false });
      await expect(runs.run("causal-qformer")).rejects.toThrow(
        /clip\/weights\.safetensors: expected the weights of an earlier stage, found none\. Run that stage first\.$/,
      );
      const resumed = await runs.run("clip", { resume: true });
      expect(logged(resumed.lines, "loss")).toHaveLength(1);
      expect(logged(resumed.lines, "validation/recallMean")[0]).toBeGreaterThan(0);
      const undisturbed = join(runs.root, "undisturbed");
      const whole = await runs.run("clip", { root: undisturbed });
      expect(resumed.weights).toEqual(whole.weights);

      expectSum(whole.lines.slice(0, 2), { captionLayout: 1, wordLocations: 1 });
      const weights = { contrast: 1, pairs: 0.5, patchLabels: 1, captionLayout: 0.75, pictureLayout: 0.75 };
      expectSum(whole.lines.slice(3), { ...weights, wordLocations: 0.25, latents: 2, wordClassification: 0.5 });
      // Before there is a tower only captions are measured.
      const scores = whole.lines.map((line) => Object.keys(line).filter((name) => name.startsWith("validation/")));
      expect(scores[2]).toEqual(["validation/cosineOfExchangedSides"]);
      const last = [
        "imageToTextR1",
        "textToImageR1",
        "recallMean",
        "pairs/sides",
        "pairs/count",
        "cosineOfExchangedSides",
      ];
      expect(scores.at(-1)!.sort()).toEqual(last.map((name) => `validation/${name}`).sort());
      for (const share of logged(whole.lines, "pairsRight")) expect(share * 16).toBeCloseTo(Math.round(share * 16), 5);
    },
    TIMEOUT_MS,
  );

  test(
    "a recipe continues from the weights of another run of its stage, in a folder of its own",
    async () => {
      const phases = [{ steps: 1, warmup: 0, peakRate: 1e-9, averageDecay: 0, weights: { layout: 1 } }];
      const second = { name: "clip-second", continues: "clip", phases };
      const [first, { weights }] = [await runs.weightsOf("clip"), await runs.variant("clip", second)];
      for (const [name, values] of await runs.weightsOf("clip-second")) {
        const before = first.get(name)!;
        expect(Math.max(...values.map((x, i) => Math.abs(x - before[i]!))), name).toBeLessThan(1e-6);
      }
      expect(weights.size).toBeLessThan(first.size); // without the heads of terms that are left out
      await expect(runs.variant("clip", second)).rejects.toThrow(
        "clip-second: expected a new run, got a finished one. Resume it,",
      );
      const again = await runs.variant("clip", second, { resume: true });
      expect(again).toMatchObject({ finished: true, skipped: true, lines: [] });
      const longer = { ...second, phases: [{ ...phases[0], steps: 2 }] };
      await expect(runs.variant("clip", longer, { resume: true })).rejects.toThrow(
        "clip-second: expected a run with the same recipe,",
      );
      await expect(runs.variant("clip", { ...second, name: "clip-third", continues: "nothing" })).rejects.toThrow(
        "nothing/weights.safetensors: expected the weights of an",
      );
      await expect(runs.variant("clip", { ...second, name: "../up" })).rejects.toThrow(
        "name: expected small letters, digits and dashes",
      );
    },
    TIMEOUT_MS,
  );
});

describe("causal-qformer", () => {
  test(
    "learns on cached features of pictures, captions, changed captions and latents",
    async () => {
      const { lines, features, weights } = await runs.run("causal-qformer");
      expect(features).toEqual(["40", "10"]);
      const losses = expectSum(lines, { contrast: 1, pairs: 0.5, pairEmbedding: 2, draft: 0.25 });
      expect(losses).toHaveLength(4);
      for (const term of ["pairEmbeddingLoss", "draftLoss"]) {
        const values = logged(lines, term);
        expect(values.at(-1), term).toBeLessThan(values[0]!);
      }
      for (const name of ["textToImageR1", "draftError", "pairs/sides", "pairs/count", "cosineOfExchangedSides"])
        expect(logged(lines, `validation/${name}`), name).toHaveLength(1);
      expect(paths(weights, "draft").length).toBeGreaterThan(5);
      expect(weights.has("vision_positions")).toBe(true);
      expect(paths(weights, "text_proj")).toEqual([]); // captions are those of the CLIP pair
    },
    TIMEOUT_MS,
  );

  test(
    "learns without changed captions, drafts and a sharp start, as each is a choice",
    async () => {
      const plain = { weights: { pairs: 0, pairEmbedding: 0, draft: 0 }, sharpness: 0 };
      const data = { hardNegatives: false, changedPictures: 0 };
      const { lines, weights } = await runs.variant("causal-qformer", { name: "plain", ...plain, data });
      expect(logged(lines, "loss")).toHaveLength(4);
      expect(logged(lines, "pairsRight")).toEqual([]);
      expect(logged(lines, "validation/recallMean")).toHaveLength(1);
      expect(paths(weights, "draft")).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "of few pictures as many features are cached as there are pictures",
    async () => {
      const few: Sources["pictures"] = async (...args) => {
        const { train, validation, words } = await runs.pictures(...args);
        return { train: { ...train, count: 12 }, validation: { ...validation, count: 3 }, words };
      };
      const changes = { name: "few", steps: 2, data: { cached: 40_000, validation: 500 } };
      const { features, lines } = await runs.variant("causal-qformer", changes, { sources: { pictures: few } });
      expect(features).toEqual(["12", "3"]);
      expect(logged(lines, "validation/recallMean")).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  test(
    "what the sizes do not allow is refused in one line",
    async () => {
      await expect(runs.variant("causal-qformer", { name: "regions", regions: true })).rejects.toThrow(
        "regions: expected contextPositions, a tower as wide as the Q-Former and a multiple of 8 patches a side in model.json. Leave regions out.",
      );
      const root = await refusing();
      const published = { name: "no-draft", model: recipeFile("model-published") };
      await expect(runs.variant("causal-qformer", published, { root })).rejects.toThrow(
        "weights.draft: expected draft in model.json, found none. Leave the term out.",
      );
    },
    TIMEOUT_MS,
  );
});

describe("codebook", () => {
  const weights = { contrast: 0.5, pairs: 0.5, feature: 2, draft: 1 };

  test(
    "learns every term from a k-means start, by moving averages, with revival and prefixes, and stops and continues",
    async () => {
      const whole = await runs.run("codebook");
      // The published terms are logged with their weights.
      const parts = ["codebook", "reconstruction", "image", "text", ...Object.keys(weights)];
      expectSum(whole.lines, Object.fromEntries(parts.map((term) => [term, 1])));
      const [draft, ofWhole] = ["draftLoss", "wholeDraftError"].map((name) => logged(whole.lines, name));
      expect(ofWhole).not.toEqual(draft); // half of the batch is read by a prefix of its codes
      for (const usage of logged(whole.lines, "usage")) expect(usage).toBeLessThanOrEqual(1);
      expect(logged(whole.lines, "revived").some((count) => count > 0)).toBe(true);
      const scores = ["recallMean", "keptPercent", "cosine", "draftError/32", "draftError/4", "pairs/sides"];
      for (const name of scores) expect(logged(whole.lines, `validation/${name}`), name).toHaveLength(1);
      expect(paths(whole.weights, "Reverse_Qformer_text").length).toBeGreaterThan(5);
      expect(whole.weights.get("quantize.missing")!.some((x) => x !== 0)).toBe(true);
      const sheet = await decodeImage(await readFile(join(runs.root, "codebook", "samples-000004.png")), "sheet");
      expect(sheet.width).toBe(6 + 10 * (64 + 6)); // ten validation pictures; drafts from 32, 16, 8 and 4 codes below

      const stopped = await runs.variant("codebook", { name: "codebook-stopped" }, stopAfter(2));
      expect(stopped).toMatchObject({ step: 2, finished: false });
      const resumed = await runs.variant("codebook", { name: "codebook-stopped" }, { resume: true });
      expect(resumed.weights).toEqual(whole.weights);
      // Parameters, moments, averages, and what the codebook remembers: the same bytes.
      const state = (name: string) => readFile(join(runs.root, name, "checkpoint-4", "state.safetensors"));
      expect((await state("codebook-stopped")).equals(await state("codebook"))).toBe(true);
      // The window reaches back over the stop, so health is logged as if there had been none.
      for (const name of ["usage", "perplexity", "leastEntropyBits", "revived"])
        expect(logged(resumed.lines, name), name).toEqual(logged(whole.lines, name).slice(2));
    },
    TIMEOUT_MS,
  );

  test(
    "begins with the head of drafts that stage causal-qformer trained",
    async () => {
      const still = { name: "still", steps: 1, warmup: 0, peakRate: 1e-9, averageDecay: 0 };
      const { weights } = await runs.variant("codebook", still);
      const head = await runs.weightsOf("causal-qformer");
      for (const path of paths(head, "draft")) {
        const before = head.get(path)!;
        expect(Math.max(...weights.get(path)!.map((x, i) => Math.abs(x - before[i]!))), path).toBeLessThan(1e-6);
      }
    },
    TIMEOUT_MS,
  );

  test(
    "the Causal Q-Former learns on with the codes where that is asked for, and the cells of drafts say the tower's tokens",
    async () => {
      const tuned = { name: "tuned", qformerRate: 0.5, weights: { ...weights, tokens: 1 } };
      const { lines, weights: learned } = await runs.variant("codebook", tuned);
      const terms = ["codebook", "reconstruction", "image", "text", ...Object.keys(weights), "tokens", "embedding"];
      expectSum(lines, Object.fromEntries(terms.map((term) => [term, 1])));
      const before = await runs.weightsOf("causal-qformer");
      for (const path of ["query_tokens", "ln_vision.weight", "vision_positions"])
        expect(learned.get(path), path).not.toEqual(before.get(path));
      expect(paths(learned, "vision_proj")).toEqual([]);
      expect(logged(lines, "validation/recallMean")).toHaveLength(1);
      const refused = runs.variant("codebook", { name: "no-draft", weights: { ...weights, draft: 0, tokens: 1 } });
      await expect(refused).rejects.toThrow("weights.tokens: expected weights.draft");
    },
    TIMEOUT_MS,
  );

  test(
    "without prefixes there is one score of drafts, and no vectors for missing codes",
    async () => {
      const { lines, weights } = await runs.variant("codebook", { name: "whole", prefixes: 0, steps: 1, warmup: 0 });
      expect(weights.has("quantize.missing")).toBe(false);
      expect(logged(lines, "validation/draftError/32")).toHaveLength(1);
      expect(logged(lines, "validation/draftError/4")).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

test(
  "diffusion learns on drafts and writes a sheet of samples",
  async () => {
    const { lines, features, weights } = await runs.run("diffusion");
    expect(features.every((count) => count === "40")).toBe(true);
    const errors = logged(lines, "squaredError");
    expect(errors).toHaveLength(4);
    for (const name of ["decibelsOfDraft", "decibelsFromPicture", "decibelsFromText"])
      expect(logged(lines, `validation/${name}`)[0], name).toBeGreaterThan(0);
    expect(paths(weights, "conditioner")).toEqual([]);
    const whole = await runs.variant("diffusion", { name: "whole-drafts", prefixes: 0 });
    expect(logged(whole.lines, "squaredError")).not.toEqual(errors); // a quarter of the drafts is that of fewer codes
    const sheet = await decodeImage(await readFile(join(runs.root, "diffusion", "samples-000004.png")), "sheet");
    expect(sheet.width).toBe(6 + 12 * (64 + 6)); // originals, drafts, and samples from drafts and captions
    const sizes = await loadJson(recipeFile("model"));
    const model = join(runs.root, "other-unet.json");
    await writeFile(model, JSON.stringify({ ...sizes, unet: { ...(sizes["unet"] as object), in_channels: 9 } }));
    await expect(runs.variant("diffusion", { model }, { root: await refusing() })).rejects.toThrow(
      /expected a draft of \[3,8,8\] in model\.json, as its unet reads it\.$/,
    );
  },
  TIMEOUT_MS,
);

test.each(["codes", "embeddings"])(
  "a probe looks for objects in the %s alone",
  async (reads) => {
    const { lines, weights } = await runs.variant("probe", { name: `probe-${reads}`, reads });
    const [from] = [weights.get("probe.in.weight")!.length / 16];
    expect(from).toBe(reads === "codes" ? 4 : 16);
    expectSum(lines, { centers: 1, background: 1 });
    for (const name of ["objectsFound", "countsRight", "backgroundRight", "recall"])
      expect(logged(lines, `validation/${name}`), name).toHaveLength(1);
  },
  TIMEOUT_MS,
);

describe("the stages become a model folder", () => {
  const model = (head: string): string => join(runs.root, `model-${head}`);
  const open = async (head: "image" | "text" | "draft"): Promise<SeedTokenizer> => {
    await assemble({ root: runs.root, out: model(head), head, dtype: "F16" });
    return SeedTokenizer.fromPretrained(model(head), { threads: 1 });
  };
  const codesOf = async (tokenizer: SeedTokenizer): Promise<Int32Array[]> => {
    const { validation } = await runs.pictures({ nouns: 8, validation: 10 }, 32, 0, {});
    const images = await Promise.all([0, 1].map(async (i) => (await validation.get(i)).image));
    return (await tokenizer.encode(images)).map(({ codes }) => codes);
  };

  test.each(["draft", "text"] as const)(
    "that decodes by the %s head",
    async (head) => {
      const tokenizer = await open(head);
      const codes = await codesOf(tokenizer);
      expect(codes.map(({ length }) => length)).toEqual([32, 32]);
      expect(Math.max(...codes.flatMap((list) => [...list]))).toBeLessThan(CODES);
      const decoded = await tokenizer.decode(codes);
      expect(decoded.map(({ width, height }) => [width, height])).toEqual(Array(2).fill([32, 32]));
      const [embedding] = await tokenizer.generationEmbeddings(codes);
      expect(embedding?.shape).toEqual(head === "draft" ? [7, 8, 8] : [12, 8]);
      expect(tokenizer.capabilities.has("decodeDraft")).toBe(head === "draft");
      if (head === "text")
        await expect(tokenizer.decodeDraft(codes)).rejects.toThrow(
          `${model(head)}: decodeDraft needs an image decoder that reads drafts, as models that are trained here may have.`,
        );
      expect((await tokenizer.decodeText(["a cat"]))[0]?.width).toBe(32);
      const [a, b] = [await tokenizer.embedText(["a cat", "a dog"]), await tokenizer.embedText(["a dog"])];
      expect(a).toHaveLength(2);
      for (const [i, x] of a[1]!.entries()) expect(x).toBeCloseTo(b[0]![i]!, 5);
      await tokenizer.close();
    },
    TIMEOUT_MS,
  );

  test(
    "with an image embedding, which this diffusion model does not read",
    async () => {
      const tokenizer = await open("image");
      const codes = await codesOf(tokenizer);
      expect((await tokenizer.generationEmbeddings(codes))[0]?.shape).toEqual([10]);
      for (const decoding of [tokenizer.decode(codes), tokenizer.decodeDraft(codes)])
        await expect(decoding).rejects.toMatchObject({
          exitCode: 2,
          message: expect.stringMatching(/^\S+model-image: decode(Draft)? needs an image decoder that reads [^\n]+\.$/),
        });
      await tokenizer.close();
    },
    TIMEOUT_MS,
  );

  test(
    "whose drafts are soft pictures at once, from all codes and from the first ones",
    async () => {
      const tokenizer = await open("draft");
      const codes = await codesOf(tokenizer);
      const drafts = await tokenizer.decodeDraft(codes);
      expect(drafts.map(({ width, height }) => [width, height])).toEqual(Array(2).fill([32, 32]));
      expect(await tokenizer.decodeDraft([codes[1]!])).toEqual([drafts[1]]); // whatever else is in the batch
      const few = (rest?: "learned" | "mean" | "repeat") => tokenizer.decodeDraft(codes, { keep: 4, rest });
      const [byDefault, learned, mean, repeat] = [
        await few(),
        await few("learned"),
        await few("mean"),
        await few("repeat"),
      ];
      expect(byDefault).toEqual(learned);
      expect(new Set([drafts, learned, mean, repeat].map(([one]) => one!.data.join())).size).toBe(4);
      // Codes that are left out do not matter; those that are kept do.
      const turned = codes.map((list) => list.map((code, t) => (t < 4 ? code : (code + 1) % CODES)));
      expect(await tokenizer.decodeDraft(turned, { keep: 4 })).toEqual(learned);
      await tokenizer.close();
    },
    TIMEOUT_MS,
  );

  test(
    "that is taken apart, put together with the same bytes, and trained on",
    async () => {
      const apart = join(runs.root, "apart");
      await assemble({ root: runs.root, out: model("draft"), head: "draft", dtype: "F32" });
      const { stages } = await loadJson(join(model("draft"), "training.json"));
      const names = (stages as { name: string }[]).map(({ name }) => name);
      expect(names.sort()).toEqual(["causal-qformer", "clip", "codebook", "diffusion", "vae"]);
      expect((await disassemble(model("draft"), apart)).sort()).toEqual(
        ["vae", "clip", "causal-qformer", "codebook", "diffusion"].sort(),
      );
      await assemble({ root: apart, out: model("again"), dtype: "F32" }); // the head that was trained
      for (const file of ["model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/config.json"]) {
        const bytes = (head: string) => readFile(join(model(head), file));
        expect((await bytes("again")).equals(await bytes("draft")), file).toBe(true);
      }
      // The encoder of the autoencoder is not in a model folder, so drafts and latents cannot be learned without stage vae.
      const on = { continues: "codebook", steps: 2, targets: [] };
      await expect(runs.variant("codebook", { name: "on", ...on }, { root: apart })).rejects.toThrow(/vae/);
      const changes = { name: "on", ...on, weights: { draft: 0 } };
      const { lines } = await runs.variant("codebook", changes, { root: apart });
      expect(logged(lines, "loss")).toHaveLength(2);
      const text = { name: "captions", continues: "clip", phases: [{ steps: 2, weights: { contrast: 0, layout: 1 } }] };
      expect(logged((await runs.variant("clip", text, { root: apart })).lines, "loss")).toHaveLength(2);
    },
    TIMEOUT_MS,
  );
});
