/** The drawings that built-in scenes are made of. */
import { type Atlas, openAtlas } from "../../data/atlas.ts";
import type { Work } from "../loop/loop.ts";

export type Drawings = (work: Work) => Promise<Atlas>;

let opened: Promise<Atlas> | undefined;

/** Those of the icon sets, opened once. @throws SetupError if they are not installed */
export const iconDrawings: Drawings = ({ onProgress }) => {
  onProgress?.("opening the drawings of scenes");
  opened ??= openAtlas({ progress: (done, total) => onProgress?.("drawing icons", done, total, "icons") });
  return opened;
};
