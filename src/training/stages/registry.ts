/** The stages of training, in the order in which they build on each other. A new stage is one file and one line here. */
import { causalQformer } from "./causal-qformer.ts";
import { clip } from "./clip.ts";
import { codebook } from "./codebook.ts";
import type { StageDefinition } from "./definition.ts";
import { diffusion } from "./diffusion.ts";
import { gill } from "./gill.ts";
import { instruct } from "./instruct.ts";
import { judge } from "./judge.ts";
import { lmPretrain } from "./lm-pretrain.ts";
import { pixelCodes } from "./pixel-codes.ts";
import { probe } from "./probe.ts";
import { see } from "./see.ts";
import { seeAndDraw } from "./see-and-draw.ts";
import { vae } from "./vae.ts";

export const STAGES: readonly StageDefinition[] = [
  clip,
  causalQformer,
  codebook,
  vae,
  diffusion,
  lmPretrain,
  see,
  seeAndDraw,
  instruct,
  judge,
  probe,
  pixelCodes,
  gill,
];
