/** Replies of language models: sampling, beams, pictures among the words. */
export { type BeamOptions, type BeamReply, beamSearch } from "./beams.ts";
export { cachedModel } from "./cached-model.ts";
export { type GenerateEvent, type GenerateOptions, generate } from "./generate.ts";
export { type GenerateAllOptions, generateAll } from "./generate-all.ts";
export { type GuidanceOptions, guidedModel } from "./guidance.ts";
export { type ImageMode, ImageSpans, type SpanState } from "./image-spans.ts";
export { type OpenedModel, type OpenModelOptions, openLanguageModel } from "./open-model.ts";
export { fitPrompt } from "./prompt.ts";
export { ReplyScheduler, type SchedulerOptions } from "./reply-scheduler.ts";
export { argmax, Sampler, type SamplingOptions } from "./sampler.ts";
export { HeldText, StopTexts } from "./stop-text.ts";
export type { TokenModel, TokenState } from "./token-model.ts";
