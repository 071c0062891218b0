export { parseJson, parseWith, readJsonFile } from "../io/json-file.ts";
export { DTYPE_BYTES, type StoredDtype, type TensorData } from "./dtypes.ts";
export { baseHash, fileHash } from "./file-hash.ts";
export {
  bfloat16ArrayToFloat32,
  float16ArrayToFloat32,
  float16ToFloat32,
  float32ArrayToBfloat16,
  float32ArrayToFloat16,
  float32ToFloat16,
} from "./float16.ts";
export { type GgufFile, type GgufTensor, type GgufValue, isGguf, openGguf, parseGguf } from "./gguf.ts";
export { unpackGguf } from "./gguf-folder.ts";
export {
  expectGgufLlama,
  ggufLlamaConfig,
  ggufToHuggingFace,
  huggingFaceToGguf,
  readGgufLlama,
  readGgufLlamaBytes,
} from "./gguf-llama.ts";
export { type PackedBlocks, packBlocks } from "./gguf-packed.ts";
export { type GgufTokenizer, ggufTokenizer, openGgufTokenizer } from "./gguf-tokenizer.ts";
export { expectTensors, matchTensors, type TensorMatch } from "./match.ts";
export { type ModelFolder, openCheckpoint, openModelFolder } from "./model-folder.ts";
export { type Adapter, readPeftFolder, setBaseHash, writePeftFolder } from "./peft.ts";
export { adaptedConfig, expectBase, expectBaseHash, mergeAdapter } from "./peft-base.ts";
export { openSafetensors, parseSafetensors, type SafetensorsFile } from "./safetensors.ts";
export type { SafetensorsInfo } from "./safetensors-header.ts";
export { type TensorToWrite, writeSafetensors } from "./safetensors-write.ts";
export { openShardedSafetensors } from "./sharded.ts";
export type { TensorFile, TensorInfo } from "./tensor-file.ts";
export { TorchTensor } from "./torch-tensor.ts";
export { openTorch, type TorchFile } from "./torch-zip.ts";
