/** Files and clipboards -> data URLs, checked before anything is computed. */

const MAX_BYTES = 30e6;
const TYPES = /^image\/(png|jpeg|webp|gif|avif)$/;

/** @throws Error in words for a file that is not a picture or too large */
export async function pictureUrl(file: Blob): Promise<string> {
  if (!TYPES.test(file.type)) throw new Error("This is not a PNG, JPEG, WebP, GIF or AVIF picture.");
  if (file.size > MAX_BYTES)
    throw new Error(`This picture has ${Math.round(file.size / 1e6)} MB; the limit is ${MAX_BYTES / 1e6} MB.`);
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(new Error("The file cannot be read."));
    reader.readAsDataURL(file);
  });
}

/** The first picture of a drop or a paste. */
export function pictureOf(items: DataTransfer | null): File | undefined {
  return [...(items?.files ?? [])].find(({ type }) => type.startsWith("image/"));
}
