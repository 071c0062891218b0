/**
 * The protocol on made-up sets in the published formats with a made-up model: every figure against values that
 * test/fixtures/eval-paper/make.py computed without this project. Then what is wrong with data sets: named, counted.
 */
import { createHash } from "node:crypto";
import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { InputError } from "../../base/errors.ts";
import type { RgbImage } from "../../image/index.ts";
import { type CardOptions, type DataFolders, type PaperCard, paperCard } from "./card.ts";
import type { PaperModel } from "./paper-model.ts";
import { DEFAULTS } from "./settings.ts";
import { WorkLog } from "./work-log.ts";

const FIXTURE = "test/fixtures/eval-paper";
const SETS: DataFolders = Object.fromEntries(
  ["coco", "flickr", "nocaps", "vqa", "gqa"].map((name) => [name, join(FIXTURE, name)]),
);
const root = await mkdtemp(join(tmpdir(), "seedling-paper-"));
afterAll(() => rm(root, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(root, `${count++}`);

const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, "utf8"));
interface MadeUp {
  readonly pictures: Record<string, { codes: number[]; embedding: number[]; byCodes: number[]; clip: number[] }>;
  readonly texts: Record<string, number[]>;
  readonly said: Record<string, string>;
  readonly answers: Record<string, string>;
}
const madeUp = (await json(join(FIXTURE, "model.json"))) as MadeUp;
const expected = (await json(join(FIXTURE, "expected.json"))) as Record<string, Record<string, Record<string, number>>>;

/** What was asked of the model. */
const calls = { see: 0, embedTexts: 0, describe: 0, answer: 0, decode: 0 };
const sha = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const known = (bytes: Uint8Array) => {
  const found = madeUp.pictures[sha(bytes)];
  if (found) return found;
  throw new InputError("picture: expected a picture, got other bytes.");
};
const pixel = (key: string): RgbImage => ({
  width: 1,
  height: 1,
  data: createHash("sha256").update(key).digest().subarray(0, 3),
});
const model: PaperModel = {
  see: {
    id: "1",
    run: async (some) => {
      calls.see += some.length;
      return some.map(known).map(({ codes, embedding }) => ({ codes, embedding: Float32Array.from(embedding) }));
    },
  },
  embedTexts: {
    id: "1",
    run: async (captions) => {
      calls.embedTexts += captions.length;
      return captions.map((caption) => Float32Array.from(madeUp.texts[caption]!));
    },
  },
  embedCodes: {
    id: "1",
    run: async (some) =>
      some.map((codes) => {
        const own = Object.values(madeUp.pictures).find((one) => one.codes.join() === codes.join());
        return Float32Array.from(own!.byCodes);
      }),
  },
  describe: {
    id: "1",
    run: async (some) => {
      calls.describe += some.length;
      return some.map((codes) => madeUp.said[JSON.stringify(codes)] ?? "");
    },
  },
  answer: {
    id: "1",
    run: async (some) => {
      calls.answer += some.length;
      return some.map(({ codes, question }) => madeUp.answers[JSON.stringify(codes) + question]!);
    },
  },
  decode: {
    id: "1",
    run: async (some) => {
      calls.decode += some.length;
      return some.map((codes) => pixel(JSON.stringify(codes)));
    },
  },
  decodeTexts: { id: "1", run: async (some) => some.map(pixel) },
  judge: {
    id: "1",
    run: async (some) =>
      some.map((one) => {
        if (one instanceof Uint8Array) return Float32Array.from(known(one).clip);
        return Float32Array.from([1, ...[...one.data].map((value) => value / 32)]);
      }),
  },
  lacks: {},
};

interface Run {
  readonly card: PaperCard;
  readonly told: string[];
}

async function run(
  folders: DataFolders,
  options: Partial<CardOptions> & { log?: string; own?: PaperModel } = {},
): Promise<Run> {
  const log = await WorkLog.open(options.log ?? fresh());
  const told: string[] = [];
  try {
    const card = await paperCard(
      { model: options.own ?? model, weights: { tokenizer: { "model.safetensors": "0" } }, close: async () => {} },
      {
        folders,
        sections: ["retrieval", "pictures", "captions", "questions"],
        settings: DEFAULTS,
        scoring: { synonyms: { has: () => false } },
        onProblem: (kind, name) => told.push(`${kind}: ${name}`),
        ...options,
        work: { log, batch: 3 },
      },
    );
    return { card, told };
  } finally {
    await log.close();
  }
}

/** A copy of one set, to be spoiled. */
async function copy(name: keyof DataFolders): Promise<string> {
  const folder = fresh();
  await cp(join(FIXTURE, name), folder, { recursive: true });
  return folder;
}

async function edit(path: string, change: (value: never) => unknown): Promise<void> {
  await writeFile(path, JSON.stringify(change((await json(path)) as never)));
}

function expectFigures(card: PaperCard, sections = Object.keys(expected)): void {
  for (const name of sections)
    for (const [row, metrics] of Object.entries(expected[name]!))
      for (const [metric, value] of Object.entries(metrics)) {
        const figure = card.results[name]?.rows[row]?.[metric];
        expect(figure?.own.mean, `${name} ${row} ${metric}`).toBeCloseTo(value, 4);
        expect(figure!.own.low).toBeLessThanOrEqual(value + 1e-4);
        expect(figure!.own.high).toBeGreaterThanOrEqual(value - 1e-4);
      }
}

test("every figure of every set, next to the papers'", async () => {
  const { card, told } = await run(SETS);
  expectFigures(card);
  expect(told).toEqual([]);
  expect(card.results["retrieval coco"]!.rows.embeddings!["R@mean"]!.papers).toMatchObject({
    "SEED (arXiv 2307.08041)": 80.7,
  });
  expect(card.results["questions vqa"]!.rows.overall!.accuracy!.papers).toMatchObject({
    "SEED (arXiv 2307.08041)": 42.8,
  });
  expect(card.results["captions coco"]!.notRun).toEqual({ SPICE: expect.stringContaining("--spice") });
  expect(Object.keys(card.results["questions vqa"]!.rows)).toEqual(["number", "other", "yes/no", "overall"]);
  expect(card.sets.coco).toEqual({
    lists: [{ name: "dataset_coco.json", sha256: sha(await readFile(join(FIXTURE, "coco/dataset_coco.json"))) }],
    expected: 5000,
    found: 6,
    complete: false,
    problems: {},
  });
  expect(card.settings).toMatchObject({
    retrieval: { textTokens: 35, query: "last", reranking: false },
    captions: { prompt: "A photo of", beams: 5, sampling: false },
    questions: { prompt: "Question: {} Short answer.", sampling: false },
  });
});

test("LAVIS' list of COCO gives what Karpathy's file does", async () => {
  const folder = await copy("coco");
  await rm(join(folder, "dataset_coco.json"));
  const { card } = await run({ coco: folder });
  expectFigures(card, ["retrieval coco", "pictures coco", "captions coco"]);
  expect(card.sets.coco!.lists[0]!.name).toBe("coco_karpathy_test.json");
});

test("work that was done is not done again; a line that was cut off is", async () => {
  const log = fresh();
  const first = await run(SETS, { log });
  const before = { ...calls };
  const again = await run(SETS, { log });
  expect(calls).toEqual(before);
  expect(again.card).toEqual(first.card);
  await appendFile(log, '["half a li');
  const opened = await WorkLog.open(log);
  expect(opened.damaged).toBe(1);
  await opened.close();
  expect((await run(SETS, { log })).card).toEqual(first.card);
  // Other weights have other keys.
  const other: PaperModel = { ...model, describe: { ...model.describe!, id: "2" } };
  await run(SETS, { log, own: other });
  expect(calls).toEqual({ ...before, describe: before.describe + 11 });
  await expect(WorkLog.open(join(FIXTURE, "expected.json"))).rejects.toThrow("expected work of this command");
});

test("a run that is cut off keeps what it did", async () => {
  const log = fresh();
  const failing: PaperModel = {
    ...model,
    describe: {
      id: "1",
      run: async (some) => {
        if (some.some((codes) => madeUp.said[JSON.stringify(codes)] === "a table")) throw new Error("power cut");
        return model.describe!.run(some);
      },
    },
  };
  await expect(run({ coco: SETS.coco }, { log, own: failing })).rejects.toThrow("power cut");
  const before = { ...calls };
  const { card } = await run({ coco: SETS.coco }, { log });
  expectFigures(card, ["retrieval coco", "pictures coco", "captions coco"]);
  expect(calls).toEqual({ ...before, describe: before.describe + 3 });
});

test("missing, broken and doubled pictures, captions that are empty or of nothing", async () => {
  const coco = await copy("coco");
  await rm(join(coco, "val2014/COCO_val2014_000000386164.jpg"));
  await writeFile(join(coco, "val2014/COCO_val2014_000000223648.jpg"), "no picture");
  await edit(join(coco, "dataset_coco.json"), (file: { images: { sentences: { raw: string }[] }[] }) => {
    file.images.push(
      file.images[1]!,
      { ...file.images[2]!, filename: "other.jpg", sentences: [] } as never,
      { filename: 3 } as never,
    );
    file.images[3]!.sentences[0]!.raw = " ";
    return file;
  });
  const { card, told } = await run({ coco });
  expect(card.sets.coco!.problems).toEqual({
    "wrong entries": { count: 1, first: [expect.stringContaining("entry 9: filename")] },
    "duplicate pictures": { count: 1, first: ["val2014/COCO_val2014_000000391895.jpg"] },
    "missing pictures": { count: 1, first: ["val2014/COCO_val2014_000000386164.jpg"] },
    "empty captions": { count: 1, first: ["val2014/COCO_val2014_000000483108.jpg"] },
    "pictures without captions": { count: 1, first: ["val2014/other.jpg"] },
    "broken pictures": { count: 1, first: [expect.stringContaining("223648.jpg: picture: expected a picture")] },
  });
  expect(told).toHaveLength(6);
  expect(card.sets.coco!.complete).toBe(false);
  expect(card.results["retrieval coco"]!.count).toBe(4);
  expect(card.results["captions coco"]!.count).toBe(4);

  const nocaps = await copy("nocaps");
  await edit(
    join(nocaps, "nocaps_val_4500_captions.json"),
    (file: { images: unknown[]; annotations: { image_id: number }[] }) => {
      file.annotations[0]!.image_id = 77;
      file.images.push({ id: 9, file_name: "x.jpg", domain: "no-domain" });
      return file;
    },
  );
  expect((await run({ nocaps })).card.sets.nocaps!.problems).toEqual({
    "wrong entries": { count: 1, first: [expect.stringContaining("images entry 5: domain")] },
    "captions of unknown pictures": { count: 1, first: ["77"] },
  });
});

test("questions and answers that do not go together", async () => {
  const vqa = await copy("vqa");
  await edit(
    join(vqa, "v2_OpenEnded_mscoco_val2014_questions.json"),
    (file: { questions: Record<string, unknown>[] }) => {
      file.questions.push(file.questions[0]!, { question_id: 5, image_id: 391895, question: "Why?" });
      file.questions[1]!.image_id = 60623;
      file.questions[2] = { question_id: 60623000, image_id: 60623 };
      return file;
    },
  );
  const { card } = await run({ vqa, coco: SETS.coco }, { sections: ["questions"] });
  expect(card.sets.vqa!.problems).toEqual({
    "wrong entries": { count: 1, first: [expect.stringContaining("entry 2: question")] },
    "answers about another picture": { count: 1, first: ["391895001"] },
    "questions without answers": { count: 1, first: ["5"] },
    "answers without a question": { count: 1, first: ["60623000"] },
    "duplicate questions": { count: 1, first: ["391895000"] },
  });
  expect(card.sets.vqa).toMatchObject({ expected: 214_354, found: 7 });
  await expect(run({ vqa }, { sections: ["questions"] })).rejects.toThrow("expected pictures of v2_OpenEnded");

  const gqa = await copy("gqa");
  await rm(join(gqa, "images/n288870.jpg"));
  expect((await run({ gqa })).card.sets.gqa!.problems).toEqual({
    "missing pictures": { count: 1, first: ["n288870.jpg"] },
    "questions without their picture": { count: 2, first: ["20699140", "20968379"] },
  });
});

test("lists that are no JSON, of another form, in an unknown encoding or not there", async () => {
  const coco = await copy("coco");
  const list = join(coco, "dataset_coco.json");
  const text = await readFile(list, "utf8");
  await writeFile(list, text.slice(0, 500));
  await expect(run({ coco })).rejects.toThrow(/dataset_coco.json: expected JSON \(/);
  await writeFile(list, JSON.stringify({ pictures: [] }));
  await expect(run({ coco })).rejects.toThrow("expected Karpathy's { images, dataset } or LAVIS' list");
  await writeFile(list, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
  await expect(run({ coco })).rejects.toThrow("Save it as UTF-8.");
  await writeFile(list, Buffer.from(`\ufeff${text}`, "utf16le"));
  expectFigures((await run({ coco })).card, ["retrieval coco"]);
  await rm(list);
  await rm(join(coco, "annotations"), { recursive: true });
  await expect(run({ coco })).rejects.toThrow("expected dataset_coco.json or coco_karpathy_test.json");

  const gqa = await copy("gqa");
  const questions = join(gqa, "testdev_balanced_questions.json");
  await writeFile(questions, (await readFile(questions, "utf8")).replace("20699140", "20968379"));
  await expect(run({ gqa })).rejects.toThrow('duplicate key "20968379"');
});

test("parts that a model lacks are named; a limit takes the first pictures", async () => {
  const blind: PaperModel = {
    see: model.see,
    lacks: { embedTexts: "reads no text", describe: "says nothing", judge: "none" },
  };
  const { card } = await run({ coco: SETS.coco, gqa: SETS.gqa }, { own: blind });
  expect(Object.values(card.results).map(({ notRun }) => notRun)).toEqual([
    { retrieval: "reads no text" },
    { pictures: "none" },
    { captions: "says nothing" },
    { questions: "the model lacks answer" },
  ]);
  const some = await run({ coco: SETS.coco }, { limit: 2, sections: ["captions"] });
  expect(some.card.results["captions coco"]!.count).toBe(2);
  expect(some.card.settings.limit).toBe(2);
});
