/** The Hub in a browser: a model's folder is the URL where its files are; each is fetched when it is opened. */
import type { Hub } from "./hub.ts";

const HUB = "https://huggingface.co";

export const hub: Hub = {
  download: async ({ name, revision }) => `${HUB}/${name}/resolve/${encodeURIComponent(revision)}`,
};
