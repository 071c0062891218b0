/** `seedling eval`: the scorecard of a model folder on the built-in test scenes. */
import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { languageCard } from "../evaluation/language-card.ts";
import { SECTIONS, type Section, scorecard } from "../evaluation/scorecard.ts";
import { writeFileAtomic } from "../files.ts";
import { SeedLanguageModel } from "../seed-language-model.ts";
import { addModelOptions, type ModelOptions, whole, withTokenizer } from "./options.ts";

export function evalCommand(): Command {
  const command = new Command("eval")
    .description(
      "Score a model on scenes of unseen seeds and in the held-out style (needs the icon sets: npm run icons)",
    )
    .argument("[section...]", `what to score: ${SECTIONS.join(", ")} (default: all)`)
    .option("--count <n>", "scenes for retrieval", whole(10), 1000)
    .option("--pictures <n>", "scenes for reconstruction (each is painted several times)", whole(2), 200)
    .option("--codes-count <n>", "scenes for codebook usage", whole(10), 10_000)
    .option("--nouns <n>", "the first n everyday nouns, those of the recipe", whole(2), 48)
    .option("--language", "score the language model instead: captions, questions, drawings", false)
    .option("--drawings <n>", "with --language: prompts that are drawn", whole(2), 100)
    .option("--lm <folder>", "with --language: the base, a folder or a GGUF file (default: lm in the model folder)")
    .option("--adapter <folder>", "with --language: the adapter (default: lm-adapter in the model folder)")
    .option("-o, --output <file>", "write the scores as JSON");
  return addModelOptions(command).action(
    async (
      sections: string[],
      options: ModelOptions & {
        count: number;
        pictures: number;
        codesCount: number;
        nouns: number;
        output?: string;
        language: boolean;
        drawings: number;
        lm?: string;
        adapter?: string;
      },
    ) => {
      const report = options.quiet ? () => {} : (line: string) => process.stderr.write(`${line}\n`);
      const write = async (scores: unknown): Promise<void> => {
        const text = `${JSON.stringify(scores, null, 2)}\n`;
        if (options.output) await writeFileAtomic(options.output, text);
        process.stdout.write(text);
      };
      if (options.language) {
        if (sections.length > 0) throw new UsageError("eval: expected no sections with --language, got some.");
        const { model: folder, device, threads, lm, adapter, count, drawings, nouns } = options;
        const model = await SeedLanguageModel.fromPretrained(folder, {
          device,
          threads,
          ...(lm === undefined ? {} : { lm }),
          ...(adapter === undefined ? {} : { adapter }),
        });
        try {
          await write(await languageCard(model, { count, drawings, nouns, report }));
        } finally {
          await model.close();
        }
        return;
      }
      const wanted = sections.length > 0 ? sections : [...SECTIONS];
      for (const s of wanted)
        if (!(SECTIONS as readonly string[]).includes(s))
          throw new UsageError(`eval: expected one of ${SECTIONS.join(", ")}, got ${s}.`);
      await withTokenizer(options, async (tokenizer) => {
        const { count, pictures, codesCount, nouns } = options;
        await write(await scorecard(tokenizer, wanted as Section[], { count, pictures, codesCount, nouns, report }));
      });
    },
  );
}
