/** `POST /v1/chat/completions`: text and pictures in, text and drawn pictures out, whole or streamed. */
import { randomUUID } from "node:crypto";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { ApiError, errorBody, toApiError } from "./api-error.ts";
import { pictureBytes } from "./pictures.ts";
import { requestScope } from "./request-scope.ts";
import { body, errors, streamedReply } from "./route-parts.ts";
import { type ChatRequest, chatReply, chatRequest } from "./schemas.ts";
import type { ChatEvent, ChatTurn, SamplingSettings } from "./served-model.ts";
import { base64, now, type Services, scoped } from "./services.ts";

const route = createRoute({
  method: "post",
  path: "/v1/chat/completions",
  summary: "Reply to a conversation with text and pictures",
  request: { body: body(chatRequest) },
  responses: { 200: streamedReply(chatReply, "The reply; with `stream` its chunks as server-sent events."), ...errors },
});

interface ImagePart {
  readonly type: "image_url";
  readonly image_url: { readonly url: string };
  readonly codes: number[];
}

export function chatRoutes(app: OpenAPIHono, services: Services): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid("json");
    const created = now();
    const id = `chatcmpl-${randomUUID()}`;
    if (request.stream) {
      // The model is opened and the pictures are read before the reply begins, so that errors have their own status.
      const scope = requestScope(c, services.deadlineMs);
      const turns = await turnsOf(request, services, scope.signal);
      const settings = { ...settingsOf(request), signal: scope.signal };
      const events = await firstEvent(services, request.model, turns, settings);
      const response = streamSSE(c, async (stream) => {
        try {
          await streamReply(stream, events, { id, created, request, services });
        } finally {
          scope.end();
          await events.return?.();
        }
      });
      return response as never; // a stream is not described by the JSON schema
    }
    const reply = await scoped(c, services, async (signal) => {
      const turns = await turnsOf(request, services, signal);
      return services.pool.use(request.model, (model) => gather(model.chat(turns, { ...settingsOf(request), signal })));
    });
    const { text, images, end } = reply;
    const message = {
      role: "assistant" as const,
      content: text === "" && images.length > 0 ? null : text,
      refusal: null,
    };
    return c.json(
      {
        id,
        object: "chat.completion" as const,
        created,
        model: request.model,
        choices: [
          {
            index: 0,
            message: images.length > 0 ? { ...message, images } : message,
            finish_reason: end.reason,
            logprobs: null,
          },
        ],
        usage: usageOf(end),
      },
      200,
    );
  });
}

/** The events of a reply; the first is computed before this returns, so that errors come before the stream begins. */
async function firstEvent(
  { pool }: Services,
  model: string,
  turns: readonly ChatTurn[],
  settings: SamplingSettings,
): Promise<AsyncGenerator<ChatEvent, void, undefined>> {
  async function* events(): AsyncGenerator<ChatEvent, void, undefined> {
    const inbox: ChatEvent[] = [];
    let wake: (() => void) | undefined;
    let ended = false;
    let failure: unknown;
    const stop = new AbortController();
    const signal = settings.signal ? AbortSignal.any([settings.signal, stop.signal]) : stop.signal;
    const work = pool
      .use(model, async (queued) => {
        for await (const event of queued.chat(turns, { ...settings, signal })) {
          inbox.push(event);
          wake?.();
        }
      })
      .catch((error) => {
        failure = error;
      })
      .finally(() => {
        ended = true;
        wake?.();
      });
    try {
      while (true) {
        const next = inbox.shift();
        if (next) yield next;
        else if (failure) throw failure;
        else if (ended) return;
        else
          await new Promise<void>((done) => {
            wake = done;
          });
      }
    } finally {
      stop.abort(new DOMException("the reply is not wanted any more", "AbortError"));
      await work;
    }
  }
  const all = events();
  const first = await all.next();
  return (async function* (): AsyncGenerator<ChatEvent, void, undefined> {
    try {
      if (!first.done) yield first.value;
      yield* all;
    } finally {
      await all.return();
    }
  })();
}

interface Streaming {
  readonly id: string;
  readonly created: number;
  readonly request: ChatRequest;
  readonly services: Services;
}

async function streamReply(
  stream: SSEStreamingApi,
  events: AsyncIterable<ChatEvent>,
  { id, created, request, services }: Streaming,
): Promise<void> {
  const head = { id, object: "chat.completion.chunk", created, model: request.model };
  const send = (delta: object, finish: string | null = null): Promise<void> =>
    stream.writeSSE({
      data: JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }] }),
    });
  try {
    await send({ role: "assistant", content: "" });
    for await (const event of events) {
      if (event.kind === "text") await send({ content: event.text });
      else if (event.kind === "image") await send({ images: [await imagePart(event)] });
      else {
        await send({}, event.reason);
        if (request.stream_options?.include_usage)
          await stream.writeSSE({ data: JSON.stringify({ ...head, choices: [], usage: usageOf(event) }) });
      }
    }
    await stream.writeSSE({ data: "[DONE]" });
  } catch (error) {
    services.onError(error);
    if (!stream.aborted) await stream.writeSSE({ data: JSON.stringify(errorBody(toApiError(error))) });
  }
}

interface Whole {
  readonly text: string;
  readonly images: ImagePart[];
  readonly end: Extract<ChatEvent, { kind: "end" }>;
}

async function gather(events: AsyncIterable<ChatEvent>): Promise<Whole> {
  let text = "";
  const images: ImagePart[] = [];
  for await (const event of events) {
    if (event.kind === "text") text += event.text;
    else if (event.kind === "image") images.push(await imagePart(event));
    else return { text: text.trim(), images, end: event };
  }
  throw new Error("a reply ended without its end event");
}

async function imagePart({ codes, png }: Extract<ChatEvent, { kind: "image" }>): Promise<ImagePart> {
  const url = `data:image/png;base64,${base64(await png())}`;
  return { type: "image_url", image_url: { url }, codes: [...codes] };
}

function usageOf({ promptTokens, tokens }: Extract<ChatEvent, { kind: "end" }>) {
  return { prompt_tokens: promptTokens, completion_tokens: tokens, total_tokens: promptTokens + tokens };
}

function settingsOf(request: ChatRequest): SamplingSettings {
  const { temperature, top_p, seed, max_tokens, max_completion_tokens } = request;
  return {
    temperature: temperature ?? undefined,
    topP: top_p ?? undefined,
    seed: seed ?? undefined,
    maxTokens: max_completion_tokens ?? max_tokens ?? undefined,
  };
}

/** Messages -> turns, with the pictures' bytes. @throws ApiError for a conversation that does not end with the user */
async function turnsOf(request: ChatRequest, { pictures }: Services, signal: AbortSignal): Promise<ChatTurn[]> {
  const turns = await Promise.all(
    request.messages.map(async ({ role, content, images = [] }, i): Promise<ChatTurn> => {
      const given = typeof content === "string" ? [{ type: "text" as const, text: content }] : (content ?? []);
      const parts = await Promise.all(
        [...given, ...images].map(async (part, j) => {
          if (part.type === "text") return part.text;
          if (part.codes) return { codes: part.codes };
          const param = `messages[${i}].content[${j}].image_url.url`;
          return { image: await pictureBytes(part.image_url.url, param, pictures, signal) };
        }),
      );
      return { role: role === "developer" ? "system" : role, parts: parts.filter((part) => part !== "") };
    }),
  );
  const last = turns.at(-1);
  if (last?.role !== "user" || last.parts.length === 0)
    throw new ApiError(
      400,
      "invalid_messages",
      "messages: expected the last one from the user, with text or a picture.",
      {
        param: "messages",
      },
    );
  return turns;
}
