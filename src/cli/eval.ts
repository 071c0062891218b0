/** `seedling eval`: the scorecard of a model folder on the built-in test scenes. */
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { type Atlas, openAtlas } from "../data/index.ts";
import { languageCard } from "../evaluation/language-card.ts";
import { SECTIONS, type Section, scorecard } from "../evaluation/scorecard.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { writeFileAtomic } from "../io/files.ts";
import { SeedLanguageModel } from "../language/index.ts";
import { addModelOptions, findModel, type ModelOptions, whole, withTokenizer } from "./options.ts";
import { writeStdout } from "./output.ts";

/** Scenes of the held-out style that are painted unless told otherwise; painting is what takes long. */
const STYLE_PICTURES = 200;

/** The command. `drawings` is what scenes are made of. */
export function evalCommand(drawings: () => Promise<Atlas> = openAtlas): Command {
  const command = new Command("eval")
    .description(
      "Score a model on scenes of unseen seeds and in the held-out style (needs the icon sets: npm run icons)",
    )
    .argument("[section...]", `what to score: ${SECTIONS.join(", ")} (default: all)`)
    .option("--count <n>", "scenes for retrieval", whole(10), 1000)
    .option("--pictures <n>", "scenes for reconstruction (each is painted several times)", whole(2), 200)
    .option("--style-pictures <n>", "the same in the held-out style (default: as --pictures, at most 200)", whole(2))
    .option("--codes-count <n>", "scenes for codebook usage", whole(10), 10_000)
    .option("--gallery <n>", "training pictures among which the pixel baselines look", whole(1), 5000)
    .option("--nouns <n>", "the first n everyday nouns, those of the recipe; 0 for the full table", whole(0), 48)
    .option("--judge <folder>", "whose clip pair compares paintings, for a model that cannot (default: its own)")
    .option("--language", "score the language model instead: captions, questions, drawings", false)
    .option("--drawings <n>", "with --language: prompts that are drawn", whole(2), 100)
    .option("--spans <n>", "with --language: prompts that are drawn without any rule", whole(1), 1000)
    .option("--lm <path>", "with --language: the base, a folder or a GGUF file (default: as seedling describe)")
    .option("--adapter <folder>", "with --language: the adapter (default: lm-adapter in the model folder)")
    .option("-o, --output <file>", "write the scores as JSON");
  return addModelOptions(command).action(
    async (
      sections: string[],
      options: ModelOptions & {
        count: number;
        pictures: number;
        stylePictures?: number;
        codesCount: number;
        gallery: number;
        nouns: number;
        judge?: string;
        output?: string;
        language: boolean;
        drawings: number;
        spans: number;
        lm?: string;
        adapter?: string;
      },
    ) => {
      const report = options.quiet ? () => {} : (line: string) => process.stderr.write(`${line}\n`);
      const write = async (scores: unknown): Promise<void> => {
        const text = `${JSON.stringify(scores, null, 2)}\n`;
        if (options.output) await writeFileAtomic(options.output, text);
        await writeStdout(text);
      };
      if (options.language) {
        if (sections.length > 0) throw new UsageError("eval: expected no sections with --language, got some.");
        const { model: folder, device, threads, lm, adapter, count, nouns } = options;
        const atlas = await drawings();
        const model = await SeedLanguageModel.fromPretrained(folder, {
          device,
          threads,
          ...(lm === undefined ? {} : { lm }),
          ...(adapter === undefined ? {} : { adapter }),
        });
        try {
          const { drawings: pictures, spans } = options;
          await write(await languageCard(model, { atlas, count, drawings: pictures, spans, nouns, report }));
        } finally {
          await model.close();
        }
        return;
      }
      const wanted = sections.length > 0 ? sections : [...SECTIONS];
      for (const s of wanted)
        if (!(SECTIONS as readonly string[]).includes(s))
          throw new UsageError(`eval: expected one of ${SECTIONS.join(", ")}, got ${s}.`);
      const { folder, load } = await findModel(options);
      const { count, pictures, codesCount, gallery, nouns } = options;
      const common = {
        atlas: await drawings(),
        nouns,
        count,
        pictures,
        stylePictures: options.stylePictures ?? Math.min(pictures, STYLE_PICTURES),
        codesCount,
        gallery,
        fresh: { folder, load },
        report,
      };
      const score = (judge?: SeedTokenizer): Promise<void> =>
        withTokenizer({ ...options, model: folder }, async (tokenizer) => {
          await write(await scorecard(tokenizer, wanted as Section[], { ...common, ...(judge ? { judge } : {}) }));
        });
      await (options.judge === undefined ? score() : withTokenizer({ ...options, model: options.judge }, score));
    },
  );
}
