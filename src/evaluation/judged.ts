/** What a judge finds in originals, in what is decoded of them, and, as floors, in pictures with little content. */
import { item } from "../base/item.ts";
import { drawBackground } from "../data/draw.ts";
import type { Scene } from "../data/index.ts";
import { blankImage, type RgbImage } from "../image/index.ts";
import type { DecodedScenes } from "./decoded-scenes.ts";
import type { Judge } from "./judge.ts";
import {
  type JudgedPicture,
  type JudgedScores,
  judgedPicture,
  judgedScores,
  type SharesOfOriginals,
  shareOfOriginals,
} from "./metrics/judged-scenes.ts";

export interface JudgedRoutes {
  /** Percent by route, except false finds: objects a picture. */
  readonly judged: Readonly<Record<string, JudgedScores>> & { readonly originals: JudgedScores };
  /** The same as percent of the originals' scores. */
  readonly shares: Readonly<Record<string, SharesOfOriginals>>;
}

/** @param routes pictures of the scenes, by the way they were made, next to the originals */
export async function judgedRoutes(
  judge: Pick<Judge, "look" | "nouns">,
  scenes: readonly Scene[],
  { originals, ...routes }: { readonly originals: readonly RgbImage[]; readonly [route: string]: readonly RgbImage[] },
): Promise<JudgedRoutes> {
  const judged = async (pictures: readonly RgbImage[]): Promise<JudgedPicture[]> => {
    const seen = await judge.look(pictures);
    return seen.map((one, i) => judgedPicture(one, item(scenes, i), judge.nouns));
  };
  const whole = await judged(originals);
  const scores: Record<string, JudgedScores> = {};
  const shares: Record<string, SharesOfOriginals> = {};
  for (const [route, pictures] of Object.entries(routes)) {
    const own = await judged(pictures);
    scores[route] = judgedScores(own);
    shares[route] = shareOfOriginals(own, whole);
  }
  return { judged: { originals: judgedScores(whole), ...scores }, shares };
}

/** All routes of a model, and the floors: flat gray, the scene's background alone, what another scene's codes become. */
export async function judgedReconstruction(decoded: DecodedScenes, judge: Judge): Promise<JudgedRoutes> {
  const { scenes, originals, tokenizer } = decoded;
  const fromCodes = await decoded.fromCodes();
  const drafts = await decoded.drafts();
  return judgedRoutes(judge, scenes, {
    originals,
    fromCodes,
    ...(drafts && { drafts }),
    ...(tokenizer.capabilities.has("decodeText") && { fromCaptions: await decoded.fromCaptions() }),
    flatGray: scenes.map(({ size }) => blankImage(size, size, 128)),
    backgroundOnly: scenes.map(backgroundOf),
    codesOfAnother: [...fromCodes.slice(1), ...fromCodes.slice(0, 1)],
  });
}

function backgroundOf({ size, background }: Scene): RgbImage {
  const pixels = new Uint8ClampedArray(size * size * 3);
  drawBackground(pixels, size, background);
  return { width: size, height: size, data: new Uint8Array(pixels.buffer) };
}
