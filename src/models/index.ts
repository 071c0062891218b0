/** Models as functions of symbolic tensors; the path of names is the checkpoint key. */
export { type KeyValue, type LmInput, type LmOutput, lmInput } from "./causal-lm.ts";
export { type TextEncoderConfig, textEmbedding, textEncoder } from "./clip.ts";
export { readClipTextConfig, readClipVisionConfig } from "./clip-config.ts";
export { clipImage, clipText } from "./clip-pair.ts";
export { type ClipVisionConfig, clipVision } from "./clip-vision.ts";
export { type ModelConfig, parseModelConfig, parseSeedlingConfig, type SeedlingConfig, seedConfig } from "./config.ts";
export { imageFeature, textFeature } from "./contrastive.ts";
export { readUnetConfig, readVaeConfig } from "./diffusers-config.ts";
export { evaVit, type VitConfig } from "./eva-vit.ts";
export { decodingGraph, languageModel, languageModelLogits, languageModelWeights } from "./language-model.ts";
export { type LlamaConfig, llama, llamaLogits } from "./llama.ts";
export { type LmConfig, readLmConfig, writeLmConfig } from "./lm-config.ts";
export { type LoraConfig, LoraParams, mergeLora, SEED_LORA, SEED_LORA_OPT } from "./lora.ts";
export { type OptConfig, opt, optLogits } from "./opt.ts";
export { type QFormerConfig, qformer } from "./qformer.ts";
export { type CodebookConfig, type Quantized, vectorQuantize } from "./quantizer.ts";
export {
  causalEmbeddings,
  codeVectors,
  decodeVectors,
  imageEmbedding,
  QUERIES,
  quantize,
  queriesOf,
  reconstructEmbeddings,
  type SeedConfig,
  textFeatures,
  visionFeatures,
} from "./seed-tokenizer.ts";
export { type UnetConfig, unet } from "./unet.ts";
export { type LatentDistribution, type VaeConfig, vaeDecode, vaeEncode } from "./vae.ts";
