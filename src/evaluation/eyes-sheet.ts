/** Contact sheets for human viewers: the first scenes, originals and decoded, without captions. */
import { contactSheet } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { DecodedScenes } from "./decoded-scenes.ts";

/** Scenes on a sheet, and pictures in a row. */
const [SHOWN, COLUMNS] = [24, 12];

/**
 * PNG files: `whole` has all rows of originals, then of decoded pictures, then of drafts; each of the others has one kind,
 * for a viewer who names what it shows without having seen the originals.
 */
export async function eyesSheet(
  decoded: DecodedScenes,
): Promise<ReadonlyMap<"whole" | "decoded" | "drafts", Uint8Array>> {
  const fromCodes = await decoded.fromCodes();
  const drafts = await decoded.drafts();
  const kinds = [decoded.originals, fromCodes, ...(drafts ? [drafts] : [])].map((all) => all.slice(0, SHOWN));
  const columns = Math.min(COLUMNS, fromCodes.length);
  const sheet = (images: readonly RgbImage[]): Promise<Uint8Array> =>
    contactSheet(
      images.map((image) => ({ image })),
      { columns, zoom: 2 },
    );
  return new Map([
    ["whole", await sheet(kinds.flatMap((images) => padded(images, columns)))],
    ["decoded", await sheet(kinds[1] ?? [])],
    ...(kinds[2] ? ([["drafts", await sheet(kinds[2])]] as const) : []),
  ]);
}

/** Whole rows, so that each kind begins a new one. */
function padded(images: readonly RgbImage[], columns: number): RgbImage[] {
  const [{ width, height } = { width: 1, height: 1 }] = images;
  const empty: RgbImage = { width, height, data: new Uint8Array(width * height * 3).fill(255) };
  const missing = (columns - (images.length % columns)) % columns;
  return [...images, ...Array.from({ length: missing }, () => empty)];
}
