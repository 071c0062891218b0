/** Sample pictures with their codes by a model, as `scripts/make-gallery.mjs` writes them: which of them share a code. */

export interface GalleryPicture {
  readonly url: string;
  readonly caption: string;
  readonly codes: readonly number[];
}

/** By model; a model without samples has none. */
const galleries = new Map<string, Promise<readonly GalleryPicture[]>>();

async function load(model: string): Promise<readonly GalleryPicture[]> {
  try {
    const response = await fetch(`./gallery/${encodeURIComponent(model)}.json`);
    if (!response.ok) return [];
    return ((await response.json()) as { pictures: readonly GalleryPicture[] }).pictures;
  } catch {
    return [];
  }
}

const MOST = 8;

export interface Sharing {
  /** How many samples there are. */
  readonly of: number;
  /** At most eight with the code, those with most of it first. */
  readonly pictures: readonly GalleryPicture[];
}

/** Sample pictures of a model that have a code. */
export async function sharing(model: string, code: number): Promise<Sharing> {
  if (!galleries.has(model)) galleries.set(model, load(model));
  const all = (await galleries.get(model)) ?? [];
  const times = ({ codes }: GalleryPicture): number => codes.filter((other) => other === code).length;
  const found = all.filter(({ codes }) => codes.includes(code));
  return { of: all.length, pictures: found.sort((a, b) => times(b) - times(a)).slice(0, MOST) };
}
