import { beforeAll, expect, test } from "vitest";
import { Rng } from "../base/rng.ts";
import { createSceneSource, loadAtlas, type SceneSource } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import { DISTURBANCES, type DrawnScene, oneOverF } from "./disturbances.ts";
import { imageOf } from "./scores.ts";

const SIZE = 40;
let source: SceneSource;
let scene: DrawnScene;
let image: RgbImage;
beforeAll(async () => {
  const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
  source = createSceneSource(atlas, { split: "test", size: SIZE, questions: false, kinds: { one: 1 } });
  scene = { source, plan: { ...source.plan(3), background: { from: "blue", to: "blue", direction: "right" } } };
  image = imageOf(source.draw(scene.plan));
});

const pixel = ({ data, width }: RgbImage, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

test("every disturbance changes the picture a little, always in the same way, and keeps its size", async () => {
  const before = [...image.data];
  for (const [name, change] of Object.entries(DISTURBANCES)) {
    const { width, height, data } = await change(image, scene);
    expect([width, height, data.length], name).toEqual([SIZE, SIZE, SIZE * SIZE * 3]);
    const difference = data.reduce((sum, level, i) => sum + Math.abs(level - image.data[i]!), 0) / data.length;
    expect(difference, name).toBeGreaterThan(0.5);
    expect(difference, name).toBeLessThan(80);
    expect((await change(image, scene)).data, name).toEqual(data);
  }
  expect([...image.data]).toEqual(before);
});

test("a shift moves pixels and repeats edges; scaling keeps the middle", async () => {
  const shifted = await DISTURBANCES["shift2"]!(image, scene);
  expect(pixel(shifted, 22, 17)).toEqual(pixel(image, 20, 15));
  expect(pixel(shifted, 0, 17)).toEqual(pixel(image, 0, 15));
  const line: RgbImage = {
    width: 20,
    height: 20,
    data: new Uint8Array(1200).map((_, i) => (Math.floor(i / 3) % 20 < 10 ? 0 : 255)),
  };
  for (const name of ["scale90", "crop90"]) {
    const { data } = await DISTURBANCES[name]!(line, scene);
    const row = Array.from({ length: 20 }, (_, x) => data[10 * 60 + 3 * x]!);
    expect(row.slice(0, 8), name).toEqual(Array(8).fill(0));
    expect(row.slice(12), name).toEqual(Array(8).fill(255));
  }
});

test("the texture is behind objects: what hides the background stays as it is", async () => {
  const on = (name: "black" | "white"): Uint8Array =>
    source.draw({ ...scene.plan, background: { from: name, to: name, direction: "right" } }).pixels;
  const [dark, light] = [on("black"), on("white")];
  const { data } = await DISTURBANCES["texture"]!(image, scene);
  let [hidden, changed] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (dark[i] === light[i]) {
      hidden++;
      expect(data[i]).toBe(image.data[i]);
    } else if (data[i] !== image.data[i]) changed++;
  }
  expect(hidden).toBeGreaterThan(100);
  expect(changed).toBeGreaterThan(1000);
});

test("1/f noise has mean 0, deviation 1 and neighbors that are alike", () => {
  const noise = oneOverF(32, new Rng(1));
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  expect(mean([...noise])).toBeCloseTo(0, 5);
  expect(mean([...noise].map((x) => x * x))).toBeCloseTo(1, 4);
  const products = [...noise].flatMap((x, i) => (i % 32 < 31 ? [x * noise[i + 1]!] : []));
  expect(mean(products)).toBeGreaterThan(0.5);
  expect(mean(products)).toBeLessThan(0.9);
});
