/** `seedling import`: official checkpoints -> a model folder; a folder of diffusers or CLIP -> one that opens here. */
import { Command } from "commander";
import { CheckpointError, UsageError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { type DiffusersReport, importDiffusers, isDiffusersFolder } from "../image-decoder/import.ts";
import { isClipFolder } from "../image-tokenizer/clip/clip-folder.ts";
import { importClip } from "../image-tokenizer/clip/import.ts";
import {
  type ImportOptions,
  type ImportReport,
  importOfficial,
  type OfficialReport,
} from "../image-tokenizer/official/index.ts";
import { importPath } from "./checkpoint-inputs.ts";
import { dtypeOption, jsonOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { writeJson, writeStdout } from "./output.ts";
import { whole } from "./parsers.ts";
import { expectFolderPlace } from "./places.ts";
import { Report } from "./report.ts";
import { formatCount } from "./sizes.ts";

interface Options {
  readonly output: string;
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly visionHeads?: number;
  readonly visionDepth?: number;
  readonly qformerHeads?: number;
  readonly decoderHeads?: number;
  readonly tokenizer?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

export function importCommand(): Command {
  const count = whole(1, 1024);
  const command = new Command("import")
    .description("turn published checkpoints of SEED, BLIP-2, Stable Diffusion or CLIP into a model folder")
    .argument(
      "<file...>",
      "checkpoints, later ones win, also owner/name/file.pt on the Hub; or one folder of diffusers or of CLIP, or owner/name of one",
    )
    .requiredOption("-o, --output <folder>", "the model folder to make")
    .addOption(dtypeOption(["f32", "f16", "bf16"]))
    .option("--vision-heads <n>", "heads of the tower (default: 88 wide each, as in ViT-g)", count)
    .option("--vision-depth <n>", "blocks of the tower that run (default: all, at most 39)", count)
    .option("--qformer-heads <n>", "heads of the Q-Former (default: 64 wide each, as in BERT)", count)
    .option("--decoder-heads <n>", "heads of the decoders (default: 12)", count)
    .option(
      "--tokenizer <file>",
      "tokenizer.json of bert-base-uncased, for the text side (default: the one next to a checkpoint, if there is one)",
    )
    .addOption(jsonOption("what became of every tensor"))
    .option("-v, --verbose", "name every tensor, or everything that is wrong");
  return withExamples(command, [
    ["seedling import seed_quantizer.pt eva_vit_g.pth -o seed-2", "SEED-LLaMA's tokenizer"],
    ["seedling import owner/name/seed_quantizer.pt eva_vit_g.pth -o seed-2", "the first one from the Hub"],
    ["seedling import causal_qformer.pth seed_tokenizer.pth eva_vit_g.pth -o seed-1"],
    ["seedling import blip2_pretrained.pth eva_vit_g.pth -o blip2 --dtype f16"],
    ["seedling import stage1.pth stage2.pth eva_vit_g.pth -o mine --tokenizer tokenizer.json"],
    ["seedling import stable-diffusion-2-1-unclip -o sd-2-1-unclip", "for --diffusion; reads .bin files too"],
    ["seedling import openai/clip-vit-large-patch14 -o clip-l", "the judge of pictures: eval paper --clip clip-l"],
  ]).action((names: string[], { output, ...options }: Options) =>
    interruptible(async (signal) => {
      const progress = new Report(options);
      await expectFolderPlace(output);
      const { dtype, visionHeads, visionDepth, qformerHeads, decoderHeads, tokenizer } = options;
      const report = await importAny(await paths(names, { report: progress, signal }), output, {
        dtype,
        tokenizer,
        hints: { visionHeads, visionDepth, qformerHeads, decoderHeads },
        onProgress: (done, total) => progress.progress("importing", done, total, "bytes"),
        signal,
      }).catch((error: unknown) => {
        progress.clear();
        if (options.verbose && error instanceof CheckpointError) for (const line of error.problems) progress.note(line);
        throw error;
      });
      progress.clear();
      for (const { name, count } of report.notFinite)
        progress.warn(`${name}: ${count} values are NaN or infinite. Is the file damaged?`);
      if (options.json) return writeJson({ folder: output, ...report });
      await writeStdout(`${formatImport(report, options).join("\n")}\n`);
      progress.wrote(output);
    }),
  );
}

/** Local paths of the files; those on the Hub are downloaded one by one. */
async function paths(
  names: readonly string[],
  options: { readonly report: Report; readonly signal: AbortSignal },
): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) found.push(await importPath(name, options));
  return found;
}

async function importAny(
  files: readonly string[],
  output: string,
  options: ImportOptions,
): Promise<OfficialReport | DiffusersReport | ImportReport> {
  for (const file of files) {
    const clip = await isClipFolder(file);
    if (!clip && !(await isDiffusersFolder(file))) continue;
    if (files.length === 1) return (clip ? importClip : importDiffusers)(file, output, options);
    const kind = clip ? "CLIP" : "diffusers";
    throw new UsageError(`${file}: expected a ${kind} folder alone, got ${files.length} paths. Import it by itself.`);
  }
  return importOfficial(files, output, options);
}

export function formatImport(
  report: ImportReport & Partial<Pick<DiffusersReport, "left"> & Pick<OfficialReport, "readsText" | "tokenizer">>,
  { verbose = false }: { verbose?: boolean } = {},
): string[] {
  const lines: string[] = [];
  for (const { path, section, elsewhere = [], wrappers = [], used, ignored, published } of report.files) {
    lines.push(`${path}: ${used.length + ignored.length} tensors, ${used.length} used, ${ignored.length} ignored`);
    if (section !== undefined) lines.push(`  those under ${quote(section)} were taken`);
    if (elsewhere.length > 0) lines.push(`  not taken: ${elsewhere.join(", ")}`);
    if (wrappers.length > 0) lines.push(`  ${wrappers.join(", ")} of training was taken off the names`);
    if (published)
      lines.push(
        `  the published loader would report ${published.missing} missing (the vision tower, which has its own file) and ` +
          `${published.unexpected} unexpected (what only training reads): both are normal`,
      );
    const reasons = new Map<string, number>();
    for (const { why } of ignored) reasons.set(why, (reasons.get(why) ?? 0) + 1);
    for (const [why, count] of reasons) lines.push(`  ignored ${count}: ${why}`);
    if (!verbose) continue;
    lines.push(...used.map((name) => `  used ${name}`));
    lines.push(...ignored.map(({ name, why }) => `  ignored ${name}: ${why}`));
  }
  const { missing, misshaped, notFinite, parameters, left = [] } = report;
  if (report.tokenizer) lines.push(`reads text: copied ${report.tokenizer}`);
  else if (report.readsText)
    lines.push(
      "reads text, once tokenizer.json of bert-base-uncased is in the folder: none was found next to the files",
    );
  if (left.length > 0) lines.push(`not copied, as decoding does not need it: ${left.join(", ")}`);
  lines.push(`missing ${missing.length}, misshaped ${misshaped.length}, with non-finite values ${notFinite.length}`);
  lines.push(`${formatCount(parameters)} parameters`);
  return lines;
}
