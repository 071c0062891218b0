import { expect, test } from "vitest";
import { RuntimeEndedError } from "../base/errors.ts";
import { Channel } from "./channel.ts";
import type { ThreadEvents } from "./thread.ts";

/** A thread that answers nothing; the test ends it. */
function silentChannel(): { channel: Channel; events: ThreadEvents } {
  let events: ThreadEvents | undefined;
  const channel = new Channel((given) => {
    events = given;
    return { post: () => {}, setBusy: () => {}, end: async () => {} };
  });
  return { channel, events: events as ThreadEvents };
}

test("a thread that ends by itself fails what was asked and what is asked later, with its reason", async () => {
  const { channel, events } = silentChannel();
  const asked = channel.request({ kind: "free", session: 1 });
  events.onEnd(new Error("out of memory"));
  await expect(asked).rejects.toThrow("runtime: the worker thread has ended (out of memory). Open the model again.");
  await expect(channel.request({ kind: "free", session: 1 })).rejects.toBeInstanceOf(RuntimeEndedError);
});

test("a channel that is closed says so, even if its thread ends then", async () => {
  const { channel, events } = silentChannel();
  const asked = channel.request({ kind: "free", session: 1 });
  await channel.close();
  events.onEnd(undefined);
  await expect(asked).rejects.toThrow("runtime: closed");
});
