/** The first part of bench/search.mjs: held-out scenes, found by their captions, and found again after a disturbance. */
import { createSceneSource, loadAtlas, openAtlas } from "../../dist/data/index.js";
import { nounList } from "../../dist/evaluation/metrics/noun-list.js";
import { imageOf } from "../../dist/evaluation/scores.js";
import { crop, resize } from "../../dist/image/index.js";
import { throughJpeg } from "../../dist/image/jpeg-node.js";
import { SeedTokenizer } from "../../dist/index.js";
import { toInt8 } from "../../dist/search/picture-index.js";
import { median } from "./stats.mjs";

const BATCH = 64;

const COPIES = {
  "JPEG of quality 30": (image) => throughJpeg(image, 30),
  "middle 80 %": (image) => {
    const [width, height] = [Math.round(0.8 * image.width), Math.round(0.8 * image.height)];
    const middle = crop(image, (image.width - width) >> 1, (image.height - height) >> 1, width, height);
    return resize(middle, image.width, image.height);
  },
  mirrored: ({ width, height, data }) => {
    const mirrored = new Uint8Array(data.length);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const from = 3 * (y * width + (width - 1 - x));
        mirrored.set(data.subarray(from, from + 3), 3 * (y * width + x));
      }
    return { width, height, data: mirrored };
  },
};

/**
 * @param {{ model: string, scenes: number, nouns: number, disturbed: number, atlas?: string, offset: number, threads: number }} options
 * @returns vectors of the pictures, and rows of two tables
 */
export async function searchScenes({ model, scenes, nouns, disturbed, atlas, offset, threads }) {
  const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
  const { imageSize } = tokenizer.config.vision;
  const drawings = atlas ? await loadAtlas(atlas) : await openAtlas();
  const source = createSceneSource(drawings, {
    ...{ size: imageSize, split: "test", offset, questions: false, nouns: nounList(nouns) },
  });
  const [vectors, fromCodes, texts] = [[], [], []];
  const begun = performance.now();
  for (let start = 0; start < scenes; start += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, scenes - start) }, (_, i) => source.scene(start + i));
    const made = await tokenizer.encodeAndEmbed(batch.map(imageOf));
    vectors.push(...made.map(({ embedding }) => embedding));
    fromCodes.push(...(await tokenizer.embedCodes(made.map(({ codes }) => codes))));
    texts.push(...(await tokenizer.embedText(batch.map(({ caption }) => caption))));
  }
  const seconds = (performance.now() - begun) / 1000;
  const spaces = { embeddings: vectors, "embeddings as int8": vectors.map(rounded), "codes alone": fromCodes };
  const recall = Object.entries(spaces).map(([name, rows]) => [
    name,
    ...summary(texts.map((text, i) => rankOf(rows, text, i))),
  ]);
  const robust = [];
  for (const [name, copy] of Object.entries(COPIES)) {
    const images = [];
    for (let i = 0; i < disturbed; i++) images.push(await copy(imageOf(source.scene(i))));
    const made = await tokenizer.encodeAndEmbed(images);
    const codes = await tokenizer.embedCodes(made.map((one) => one.codes));
    robust.push([
      `${name}, embeddings`,
      ...summary(made.map(({ embedding }, i) => rankOf(spaces["embeddings as int8"], embedding, i))),
    ]);
    robust.push([`${name}, codes alone`, ...summary(codes.map((vector, i) => rankOf(fromCodes, vector, i)))]);
  }
  await tokenizer.close();
  return { vectors, recall, robust, picturesPerSecond: scenes / seconds };
}

/** A vector as an index keeps it. */
function rounded(vector) {
  const { row, scale } = toInt8(vector);
  return Float32Array.from(row, (value) => value * scale);
}

/** 1 if no other row is nearer to the query; of equals, half come first. */
function rankOf(rows, query, own) {
  const dot = (row) => {
    let sum = 0;
    for (let k = 0; k < row.length; k++) sum += row[k] * query[k];
    return sum;
  };
  const best = dot(rows[own]);
  let [nearer, equal] = [0, 0];
  for (const [i, row] of rows.entries()) {
    if (i === own) continue;
    const score = dot(row);
    if (score > best) nearer++;
    else if (score === best) equal++;
  }
  return 1 + nearer + equal / 2;
}

/** Shares of ranks 1, up to 5, up to 10; median and worst rank. */
function summary(ranks) {
  const share = (most) => `${((100 * ranks.filter((rank) => rank <= most).length) / ranks.length).toFixed(1)} %`;
  return [share(1), share(5), share(10), String(median(ranks)), String(Math.max(...ranks))];
}
