/** A folder of ours -> files under the names and in the form in which SEED was published. */

import { UsageError } from "../../base/errors.ts";
import { entry, item } from "../../base/item.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { expectFree, writeFolder } from "../../io/folder.ts";
import { join } from "../../io/paths.ts";
import type { ModelConfig } from "../../models/config.ts";
import { copyTensor } from "../../weights/copy-tensor.ts";
import { openCheckpoint } from "../../weights/index.ts";
import { LAYOUTS, type LayoutName, officialName } from "../../weights/official.ts";
import { BITS } from "../../weights/quantized/stored.ts";
import type { TensorFile } from "../../weights/tensor-file.ts";
import { writeTorch } from "../../weights/torch-write.ts";
import { readHints } from "./hints.ts";
import { expectComplete, planImport } from "./import.ts";

export interface ExportOptions {
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface ExportReport {
  readonly layout: LayoutName;
  readonly files: readonly { readonly file: string; readonly tensors: number }[];
  /** Tensors that the official models do not have, such as our CLIP pair. */
  readonly left: readonly string[];
}

/**
 * Writes the SEED part of `from` (an imported folder, or one that was trained here) to the new folder `to`, bit for bit,
 * and a config.json with the numbers of heads, which the files do not hold.
 * @throws UsageError if `to` exists, or if the published layout has no names for the model, which is found before any
 * work; CheckpointError if a part of the model is missing.
 */
export async function exportOfficial(from: string, to: string, options: ExportOptions = {}): Promise<ExportReport> {
  await expectFree(to);
  const file = await openCheckpoint(from);
  try {
    expectPublishable(file);
    const plan = planImport([file], await readHints(from));
    expectComplete(plan);
    const { config, tensors, report } = plan;
    const layout = layoutOf(config);
    const parts = LAYOUTS[layout].map((part) => {
      const names = [...tensors.keys()].filter(part.holds);
      return { ...part, names };
    });
    const sizes = [...tensors.keys()].map((name) => entry(file.tensors, name).byteLength);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    const onRead = (bytes: number) => {
      options.signal?.throwIfAborted();
      done += bytes;
      options.onProgress?.(done, total);
    };
    await writeFolder(to, async (temporary) => {
      for (const part of parts) {
        const copies = part.names.map((name) =>
          copyTensor(file, name, { name: officialName(name, layout).slice(part.prefix.length), onRead }),
        );
        await writeTorch(join(temporary, part.file), copies, "section" in part ? part.section : undefined);
      }
      await writeFileAtomic(join(temporary, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
    });
    const files = parts.map((part) => ({ file: part.file, tensors: part.names.length }));
    return { layout, files, left: item(report.files, 0).ignored.map(({ name }) => name) };
  } finally {
    await file.close();
  }
}

/** The published tower cuts the picture into patches, and its weights are floats. */
function expectPublishable({ path, tensors, metadata }: TensorFile): void {
  const stem = [...tensors.keys()].find((name) => name.startsWith("visual_encoder.patch_embed.stem."));
  if (stem)
    throw new UsageError(
      `${path}: expected a tower as published, got one with a convolutional stem (${stem}), for which the published ` +
        "layout has no names. Export a model that was trained without vision.stem.",
    );
  if (metadata.has(BITS))
    throw new UsageError(
      `${path}: expected floats, got quantized weights. Export the folder that they were made from.`,
    );
}

function layoutOf({ codebook, image }: ModelConfig): LayoutName {
  if (!codebook) return "encoder";
  return image ? "v2" : "v1";
}
