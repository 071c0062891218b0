import { describe, expect, it } from "vitest";
import { filled, input, normal, ones, Params, paramAttrs, uniform, zeros } from "./index.ts";

describe("Params", () => {
  it("spells the checkpoint key by its scopes", () => {
    const p = new Params("lm");
    const w = p.at("blocks", 3).at("mlp.fc1").get("weight", [4, 2], normal(0.02));
    expect(paramAttrs(w)).toEqual({
      path: "lm.blocks.3.mlp.fc1.weight",
      shape: [4, 2],
      init: { kind: "normal", std: 0.02 },
    });
    expect(w.shape).toEqual([4, 2]);
    expect(paramAttrs(new Params().get("bias", [1], zeros)).path).toBe("bias");
    expect(paramAttrs(new Params("a").at("").get("b", [1], zeros)).path).toBe("a.b");
  });
  it("lists what was declared below the same root, in order", () => {
    const p = new Params();
    const b = p.at("b").get("w", [1], ones);
    const a = p.at("a").get("w", [2], uniform(0.5));
    expect([...p.declared()]).toEqual([
      ["b.w", b],
      ["a.w", a],
    ]);
    expect(p.at("a").declared()).toBe(p.declared());
    expect(new Params().declared().size).toBe(0);
  });
  it("gives the same tensor for the same path", () => {
    const p = new Params();
    expect(p.at("x").get("w", [2], zeros)).toBe(p.get("x.w", [2], filled(3)));
  });
  it("refuses a second shape for a path", () => {
    const p = new Params("lm");
    p.get("w", [2, 3], zeros);
    expect(() => p.get("w", [3, 2], zeros)).toThrow("lm.w: expected the shape of its first use, [2,3], got [3,2].");
  });
  it("paramAttrs refuses what is not a parameter", () => {
    expect(() => paramAttrs(input("x", [1]))).toThrow("expected a parameter, got the result of input.");
  });
});

describe("taps", () => {
  it("notes results by name from any scope, and gives them back", () => {
    const p = new Params();
    const x = input("x", [2]);
    expect(p.at("a", 0).tap("a.out", x)).toBe(x);
    const before = p.taps();
    p.tap("a.out", x.relu());
    expect(before["a.out"]).toBe(x);
    expect(p.taps()["a.out"]).not.toBe(x);
  });
});
