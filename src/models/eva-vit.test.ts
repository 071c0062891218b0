import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { input, Params } from "../graph/index.ts";
import { vision } from "./config.ts";
import { evaVit, type VitConfig } from "./eva-vit.ts";

const plain: VitConfig = { imageSize: 16, patchSize: 4, width: 12, depth: 1, heads: 2, mlpHidden: 24 };

describe("a vision tower with a convolutional stem", () => {
  const config = { ...plain, stem: [8, 16] };

  it("has the tokens of one without, and every parameter learns", () => {
    const p = new Params();
    expect(evaVit(p, input("pixels", ["B", 3, 16, 16]), config).shape).toEqual(["B", 17, 12]);
    const params = [...p.declared().values()];
    const grads = gradients(
      evaVit(p, input("pixels", [2, 3, 16, 16]), config)
        .square()
        .mean(),
      params,
    );
    expect(params.filter((_, i) => !grads[i])).toEqual([]);
  });

  it("projects cells of the last level where pixels were projected", () => {
    const shape = (at: VitConfig, path: string): readonly unknown[] | undefined => {
      const p = new Params();
      evaVit(p, input("pixels", [1, 3, 16, 16]), at);
      return p.declared().get(path)?.shape;
    };
    expect(shape(plain, "patch_embed.proj.weight")).toEqual([12, 3, 4, 4]);
    expect(shape(config, "patch_embed.proj.weight")).toEqual([12, 16, 1, 1]);
    expect(shape(config, "patch_embed.stem.0.conv.weight")).toEqual([8, 3, 3, 3]);
    expect(shape(plain, "patch_embed.stem.0.conv.weight")).toBeUndefined();
  });

  it("must be able to halve the patch once a level", () => {
    expect(vision.safeParse(config).success).toBe(true);
    expect(vision.safeParse({ ...config, stem: [8, 8, 8] }).error?.issues[0]?.path).toEqual(["stem"]);
    expect(vision.safeParse({ ...config, stem: [12] }).success).toBe(false);
  });
});
