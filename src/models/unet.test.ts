import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { input, Params } from "../graph/index.ts";
import { mse } from "../nn/index.ts";
import { type UnetConfig, unet } from "./unet.ts";

const config: UnetConfig = {
  sampleSize: 8,
  inChannels: 4,
  outChannels: 4,
  blockOutChannels: [8, 16],
  layersPerBlock: 1,
  downBlockTypes: ["CrossAttnDownBlock2D", "DownBlock2D"],
  upBlockTypes: ["UpBlock2D", "CrossAttnUpBlock2D"],
  crossAttentionDim: 12,
  attentionHeads: 2,
  normNumGroups: 4,
};

describe("unet", () => {
  const x = input("x", ["B", 4, 8, 8]);
  const t = input("t", ["B"]);
  const context = input("context", ["B", 5, 12]);

  it("keeps the size of the latents with a batch that is not known yet, and every parameter learns", () => {
    const p = new Params();
    const out = unet(p, x, t, context, config);
    expect(out.shape).toEqual(["B", 4, 8, 8]);
    const params = [...p.declared().values()];
    const grads = gradients(
      mse(unet(p, input("x", [2, 4, 8, 8]), input("t", [2]), input("context", [2, 5, 12]), config), x.mul(0).mean()),
      params,
    );
    expect(params.filter((_, i) => !grads[i])).toEqual([]);
  });

  it("asks for the class vector of unCLIP, with its width", () => {
    const unclip: UnetConfig = { ...config, classEmbedType: "projection", projectionClassEmbeddingsInputDim: 6 };
    expect(() => unet(new Params(), x, t, context, unclip)).toThrow(
      "unet: expected a class embedding f32 [B,6], got none. Check UnetConfig.classEmbedType.",
    );
    expect(() => unet(new Params(), x, t, context, config, input("c", ["B", 6]))).toThrow(
      "unet: expected no class embedding, got [B,6]. Check UnetConfig.classEmbedType.",
    );
    expect(unet(new Params(), x, t, context, unclip, input("c", ["B", 6])).shape).toEqual(["B", 4, 8, 8]);
  });

  it("names latents that cannot be halved once a level", () => {
    expect(() => unet(new Params(), input("x", ["B", 4, 8, 7]), t, context, config)).toThrow(
      "unet: expected latents f32 [B,4,Y,X] with Y and X multiples of 2, got [B,4,8,7].",
    );
  });
});
