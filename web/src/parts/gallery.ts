/** Sample pictures with their codes, made when the page is built: which of them share a code. */

export interface GalleryPicture {
  readonly url: string;
  readonly caption: string;
  readonly codes: readonly number[];
}

let loading: Promise<readonly GalleryPicture[]> | undefined;

function gallery(): Promise<readonly GalleryPicture[]> {
  loading ??= fetch("./gallery.json")
    .then((response) => (response.ok ? (response.json() as Promise<readonly GalleryPicture[]>) : []))
    .catch(() => []);
  return loading;
}

const MOST = 8;

/** At most eight sample pictures with this code, those with most of it first. */
export async function sharing(code: number): Promise<readonly GalleryPicture[]> {
  const times = ({ codes }: GalleryPicture): number => codes.filter((other) => other === code).length;
  const found = (await gallery()).filter(({ codes }) => codes.includes(code));
  return found.sort((a, b) => times(b) - times(a)).slice(0, MOST);
}
