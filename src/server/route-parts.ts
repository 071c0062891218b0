/** Parts of route descriptions. */
import { z } from "@hono/zod-openapi";
import { errorReply } from "./schemas.ts";

export function body<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

export function jsonReply<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { "application/json": { schema } } } as const;
}

/** The same, or server-sent events. */
export function streamedReply<T extends z.ZodType>(schema: T, description: string) {
  const events = { schema: z.string() };
  return { description, content: { "application/json": { schema }, "text/event-stream": events } } as const;
}

const failed = (description: string) => jsonReply(errorReply, description);

export const errors = {
  400: failed("The request is wrong; the message says what was expected."),
  401: failed("The API key is missing or wrong."),
  403: failed("The request comes from a page of another host."),
  404: failed("No such model."),
  413: failed("The request or a picture in it is too large."),
  415: failed("The body is not JSON."),
  429: failed("Too many requests wait; `Retry-After` says when to try again."),
  500: failed("The server failed."),
  503: failed("The model cannot be opened, or the server is shutting down."),
  504: failed("The reply was not ready in time."),
} as const;
