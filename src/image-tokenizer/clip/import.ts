/** A CLIP as transformers published it -> a folder that opens here: its weights as one safetensors file, its settings. */
import { CheckpointError, SetupError } from "../../base/errors.ts";
import { entry } from "../../base/item.ts";
import { copyFile, exists } from "../../io/files.ts";
import { expectFree, writeFolder } from "../../io/folder.ts";
import { join } from "../../io/paths.ts";
import { copyTensor, isFloat } from "../../weights/copy-tensor.ts";
import { type CopyOptions, type ImportReport, STORED_AS } from "../../weights/import-report.ts";
import { matchTensors, openCheckpoint, writeSafetensors } from "../../weights/index.ts";
import { buildClip, isIdle, readClipSizes } from "./clip-folder.ts";
import { CLIP_OPTIONAL, CLIP_WEIGHTS } from "./hub-files.ts";

/**
 * Imports the folder `from` into the new folder `to`.
 * @throws SetupError if there are no weights; CheckpointError listing every missing and misshaped tensor. Nothing is written then.
 */
export async function importClip(from: string, to: string, options: CopyOptions = {}): Promise<ImportReport> {
  await expectFree(to);
  const { shapes } = buildClip(await readClipSizes(from));
  const file = await openCheckpoint(await weightsOf(from));
  try {
    const wanted = new Map(shapes);
    const { missing, misshaped } = matchTensors(file.tensors, shapes);
    const odd = shapes.filter(([name]) => file.tensors.has(name) && !isFloat(entry(file.tensors, name).dtype));
    const problems = [
      ...missing.map((name) => `${name} is missing`),
      ...misshaped.map(({ name, expected, found }) => `${name}: expected [${expected}], got [${found}]`),
      ...odd.map(([name]) => `${name}: expected floats, got ${entry(file.tensors, name).dtype}`),
    ];
    if (problems.length > 0) {
      const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
      const some = problems.slice(0, 3).join("; ");
      throw new CheckpointError(`${from}: ${some}${more}. Do config.json and the weights belong together?`, problems);
    }
    const names = [...file.tensors.keys()];
    const used = names.filter((name) => wanted.has(name));
    const why = (name: string): string =>
      isIdle(name) ? "known, but comparing does not need it" : "not part of the model";
    const ignored = names.filter((name) => !wanted.has(name)).map((name) => ({ name, why: why(name) }));
    const notFinite: { name: string; count: number }[] = [];
    const total = used.reduce((sum, name) => sum + entry(file.tensors, name).byteLength, 0);
    let done = 0;
    const copies = used.map((name) =>
      copyTensor(file, name, {
        floats: options.dtype && STORED_AS[options.dtype],
        onNotFinite: (bad, count) => void notFinite.push({ name: bad, count }),
        onRead: (bytes) => {
          options.signal?.throwIfAborted();
          done += bytes;
          options.onProgress?.(done, total);
        },
      }),
    );
    await writeFolder(to, async (temporary) => {
      for (const name of ["config.json", ...CLIP_OPTIONAL])
        if (await exists(join(from, name))) await copyFile(join(from, name), join(temporary, name));
      await writeSafetensors(join(temporary, "model.safetensors"), copies);
    });
    const parameters = shapes.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const { path, section, elsewhere } = file;
    return { files: [{ path, section, elsewhere, used, ignored }], missing: [], misshaped: [], notFinite, parameters };
  } finally {
    await file.close();
  }
}

async function weightsOf(from: string): Promise<string> {
  for (const name of CLIP_WEIGHTS) if (await exists(join(from, name))) return join(from, name);
  throw new SetupError(`${from}: expected ${CLIP_WEIGHTS.join(" or ")}, found none. Copy the weights too.`);
}
