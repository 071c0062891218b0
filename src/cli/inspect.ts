/** `seedling inspect`: what a checkpoint holds. */
import { Command } from "commander";
import { item } from "../base/item.ts";
import { quote } from "../base/one-line.ts";
import { checkpointFiles, type InspectedFile, inspectFile } from "../weights/inspect.ts";
import { checkpointPath } from "./checkpoint-inputs.ts";
import { jsonOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { writeJson, writeStdout } from "./output.ts";
import { plural, Report } from "./report.ts";
import { formatBytes, formatCount } from "./sizes.ts";

interface Options {
  readonly json?: boolean;
  readonly hash: boolean;
  readonly quiet?: boolean;
}

export function inspectCommand(): Command {
  const command = new Command("inspect")
    .description("list the tensors, dtypes, shapes, sizes and hashes of checkpoints; nothing in them is executed")
    .argument(
      "<path...>",
      "safetensors, PyTorch's .pt, .pth or .bin, or folders with such files; owner/name/file.pt on the Hub",
    )
    .addOption(jsonOption('{"file":"model.safetensors","bytes":1024,"tensors":[...]}'))
    .option("--no-hash", "leave out the SHA-256 and the search for NaN, which read the whole file");
  return withExamples(command, [
    ["seedling inspect seed_quantizer.pt"],
    ["seedling inspect owner/name/seed_quantizer.pt --no-hash", "on the Hub"],
    ["seedling inspect models/seedling-mini --json | jq '.tensors | length'"],
  ]).action((paths: string[], options: Options) => interruptible((signal) => inspect(paths, options, signal)));
}

async function inspect(paths: readonly string[], options: Options, signal: AbortSignal): Promise<void> {
  const report = new Report(options);
  let done = 0;
  for (const path of paths)
    try {
      for (const file of await checkpointFiles(await checkpointPath(path, { report, signal }))) {
        signal.throwIfAborted();
        report.doing(`reading ${file}`);
        const inspected = await inspectFile(file, { hash: options.hash });
        report.clear();
        if (options.json) await writeJson(inspected);
        else await writeStdout(`${formatInspection(inspected).join("\n")}\n`);
        done++;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      report.problem(error);
    }
  report.finish(done);
}

/** A heading, a line a tensor in the order of the file, and the sum. */
export function formatInspection(inspected: InspectedFile): string[] {
  const { file, bytes, sha256, metadata, section, elsewhere, wrappers, tensors } = inspected;
  const rows = tensors.map((t) => [t.dtype, `[${t.shape.join(", ")}]`, formatBytes(t.bytes)]);
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => item(row, i).length), 0));
  const numbers = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return [
    `${file}  ${formatBytes(bytes)}${sha256 ? `  sha256 ${sha256}` : ""}`,
    ...Object.entries(metadata).map(([key, value]) => `  ${quote(key)}: ${quote(value)}`),
    ...(section === undefined ? [] : [`  the tensors under ${quote(section)}`]),
    ...(elsewhere ? [`  not listed: ${elsewhere.join(", ")}`] : []),
    ...(wrappers ? [`  wrapped for training: ${wrappers.join(", ")} in the names is taken off by an import`] : []),
    ...tensors.map(({ name, notFinite }, i) => {
      const [dtype, shape, size] = item(rows, i) as [string, string, string];
      return `  ${dtype.padEnd(item(widths, 0))}  ${shape.padEnd(item(widths, 1))}  ${size.padStart(item(widths, 2))}  ${plain(name)}${notFinite ? `  ${notFinite} values are NaN or infinite` : ""}`;
    }),
    `  ${plural(tensors.length, "tensor")}, ${formatCount(numbers)} ${numbers === 1 ? "number" : "numbers"}`,
  ];
}

/** Names with control characters or of great length are shown in quotes, so that a line stays a line. */
function plain(name: string): string {
  return /^[\x21-\x7e]{1,120}$/.test(name) ? name : quote(name, 120);
}
