/** Schemas of requests and replies, for validation and for the OpenAPI description. Unknown fields are refused. */
import { z } from "@hono/zod-openapi";
import { CODES_PER_IMAGE, MAX_CODES } from "../codes/index.ts";

const MAX_TEXT = 20_000;
const seed = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
/** Fields of OpenAI's API that change nothing here and may be sent. */
const ignored = {
  user: z.string().max(512).optional(),
  metadata: z.record(z.string(), z.string()).nullish(),
  store: z.boolean().nullish(),
};
/** Fields of OpenAI's API that would change the reply: accepted at their neutral value only. */
const neutral = {
  n: z.literal(1).nullish(),
  frequency_penalty: z.literal(0).nullish(),
  presence_penalty: z.literal(0).nullish(),
  logprobs: z.literal(false).nullish(),
};

export const model = z
  .string()
  .max(200)
  .openapi({ description: "The id of a served model.", example: "seedling-mini" });
export const codes = z
  .array(
    z
      .int()
      .min(0)
      .max(MAX_CODES - 1),
  )
  .length(CODES_PER_IMAGE)
  .openapi({
    description: "The codes of a picture, in causal order.",
    minItems: CODES_PER_IMAGE,
    maxItems: CODES_PER_IMAGE,
  });
const imageUrl = z.object({ url: z.string(), detail: z.enum(["auto", "low", "high"]).optional() });
/** Pictures in replies carry their codes; if they are sent back with them, the picture is not encoded again. */
const imagePart = z.strictObject({ type: z.literal("image_url"), image_url: imageUrl, codes: codes.optional() });

const contentPart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string().max(MAX_TEXT) }),
  imagePart,
]);
const message = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([z.string().max(MAX_TEXT), z.array(contentPart).max(64)]).nullish(),
  /** Pictures that an assistant's turn holds, as replies carry them. */
  images: z.array(imagePart).max(16).optional(),
  refusal: z.null().optional(),
  name: z.string().max(64).optional(),
});

export const chatRequest = z
  .strictObject({
    model,
    messages: z.array(message).min(1).max(200),
    stream: z.boolean().nullish(),
    stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
    max_tokens: z.int().min(1).max(4096).nullish(),
    max_completion_tokens: z.int().min(1).max(4096).nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().gt(0).max(1).nullish(),
    seed: seed.nullish(),
    modalities: z.array(z.enum(["text", "image"])).nullish(),
    ...ignored,
    ...neutral,
  })
  .openapi("ChatCompletionRequest");

export const imagesRequest = z
  .strictObject({
    model: model.optional(),
    prompt: z.string().min(1).max(MAX_TEXT),
    n: z.int().min(1).max(16).nullish(),
    seed: seed.nullish().openapi({ description: "Seed of the first picture; the others take the following ones." }),
    size: z
      .string()
      .regex(/^(auto|\d{1,5}x\d{1,5})$/, 'expected "auto" or the model\'s own size, e.g. "64x64"')
      .nullish(),
    response_format: z.literal("b64_json").nullish(),
    output_format: z.literal("png").nullish(),
    stream: z.boolean().nullish(),
    partial_images: z.int().min(0).max(8).nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().gt(0).max(1).nullish(),
    steps: z.int().min(1).max(1000).nullish(),
    guidance_scale: z.number().min(0).max(50).nullish(),
    quality: z.enum(["auto", "standard"]).nullish(),
    user: ignored.user,
  })
  .openapi("ImagesRequest");

export const embeddingsRequest = z
  .strictObject({
    model,
    input: z.union([z.string().max(20e6), z.array(z.string().max(20e6)).min(1).max(256)]).openapi({
      description: "Texts; a data URL of a picture stands for the picture.",
    }),
    encoding_format: z.enum(["float", "base64"]).nullish(),
    dimensions: z.int().min(1).nullish(),
    user: ignored.user,
  })
  .openapi("EmbeddingsRequest");

/** The form of a picture's URL. Whether it is a picture is checked when it is decoded. */
const pictureUrl = z.string().openapi({ pattern: "^(data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]+=*|https?://.+)$" });
const pictures = (most: number) =>
  z.array(pictureUrl).min(1).max(most).openapi({ description: "Data URLs of pictures.", maxItems: most });

export const tokenizeRequest = z
  .strictObject({ model: model.optional(), images: pictures(256) })
  .openapi("TokenizeRequest");

export const describeRequest = z
  .strictObject({
    model: model.optional(),
    images: pictures(64).optional(),
    codes: z.array(codes).min(1).max(64).optional(),
    best_of: z.int().min(1).max(64).optional().openapi({ description: "Default: as the model was tuned." }),
    seed: seed.optional(),
  })
  .refine(({ images = [], codes: lists = [] }) => images.length + lists.length > 0, "expected images or codes")
  .openapi("DescribeRequest", { anyOf: [{ required: ["images"] }, { required: ["codes"] }] });

const decoding = {
  keep: z.int().min(1).max(CODES_PER_IMAGE).optional().openapi({ description: "Decode from the first codes only." }),
  seed: seed.optional(),
  steps: z.int().min(1).max(1000).optional(),
  guidance_scale: z.number().min(0).max(50).optional(),
};

export const detokenizeRequest = z
  .strictObject({ model: model.optional(), codes: z.array(codes).min(1).max(64), ...decoding })
  .openapi("DetokenizeRequest");

export const reconstructRequest = z
  .strictObject({ model: model.optional(), images: pictures(64), ...decoding })
  .openapi("ReconstructRequest");

/** "2024-05-01" or "2024-05-01T12:00:00Z". */
const time = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

export const searchRequest = z
  .strictObject({
    model: model.optional(),
    text: z.string().min(1).max(MAX_TEXT).optional().openapi({ description: "What the pictures show." }),
    image: pictureUrl.optional().openapi({ description: "Data URL of a picture like those to find." }),
    codes: codes.optional().openapi({ description: "Codes of a picture like those to find." }),
    n: z.int().min(1).max(1000).optional().openapi({ description: "Pictures to find. Default: 10" }),
    since: time.optional().openapi({ description: "Only pictures changed since then." }),
    until: time.optional().openapi({ description: "Only pictures changed before then." }),
  })
  .refine(
    ({ text, image, codes }) => [text, image, codes].some((part) => part !== undefined),
    "expected a text, an image or codes",
  )
  .openapi("SearchRequest", {
    description: "Text, image and codes count the same.",
    anyOf: [{ required: ["text"] }, { required: ["image"] }, { required: ["codes"] }],
  });

export const errorReply = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi("Error");

const usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() });
export const chatReply = z
  .object({
    id: z.string(),
    object: z.literal("chat.completion"),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal("assistant"),
          content: z.string().nullable(),
          refusal: z.null(),
          images: z
            .array(z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string() }), codes }))
            .optional(),
        }),
        finish_reason: z.enum(["stop", "length"]),
        logprobs: z.null(),
      }),
    ),
    usage,
  })
  .openapi("ChatCompletion");
export const imagesReply = z
  .object({ created: z.int(), data: z.array(z.object({ b64_json: z.string(), seed: z.int(), codes })) })
  .openapi("Images");
export const embeddingsReply = z
  .object({
    object: z.literal("list"),
    model: z.string(),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi("Embeddings");
export const modelEntry = z
  .object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() })
  .openapi("Model");
export const modelsReply = z.object({ object: z.literal("list"), data: z.array(modelEntry) }).openapi("Models");
export const tokenizeReply = z.object({ model: z.string(), codes: z.array(codes) }).openapi("Tokenized");
export const describeReply = z.object({ model: z.string(), texts: z.array(z.string()) }).openapi("Descriptions");
export const picturesReply = z
  .object({ model: z.string(), images: z.array(z.object({ b64_json: z.string(), codes, seed: z.int() })) })
  .openapi("Pictures");

export const searchReply = z
  .object({
    model: z.string(),
    data: z.array(z.object({ id: z.int(), path: z.string(), score: z.number(), codes })),
  })
  .openapi("Found");

export type ChatRequest = z.infer<typeof chatRequest>;
export type ImagesRequest = z.infer<typeof imagesRequest>;
