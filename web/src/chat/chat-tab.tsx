/** Conversations with pictures in and out. They are kept in this browser. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Message, Part, Picture } from "../engine/engine.ts";
import { Busy, ErrorNotice } from "../parts/notice.tsx";
import { pictureUrl } from "../parts/picture-file.ts";
import { PictureInput } from "../parts/picture-input.tsx";
import { engine, handed, openTab, tab } from "../state/app-state.ts";
import { remember, remembered } from "../state/store.ts";
import { useTask } from "../state/use-task.ts";

const KEPT = "conversation";

export function ChatTab() {
  const [messages, setMessages] = useState<readonly Message[]>(remembered<readonly Message[]>(KEPT, []));
  const [text, setText] = useState("");
  const [picture, setPicture] = useState<Picture>();
  const replying = useTask();
  const attaching = useTask();
  const end = useRef<HTMLDivElement>(null);
  /** Another for each try. */
  const seed = useRef(0);
  useEffect(() => remember(KEPT, messages), [messages]);
  useEffect(() => {
    if (tab.value === "chat") end.current?.scrollIntoView({ block: "nearest" });
  }, [messages, tab.value]);

  const attach = useCallback((file: Blob): void => {
    void attaching.start(async (signal) => {
      const url = await pictureUrl(file);
      if (!engine.value) throw new Error("The model is not ready yet.");
      setPicture({ url, codes: await engine.value.encode(url, signal) });
    });
  }, []);
  /** Asks for a reply to the turns, the last of which is the user's. */
  const reply = (turns: readonly Message[]): void => {
    setMessages(turns);
    void replying.start(async (signal) => {
      let parts: readonly Part[] = [];
      const show = (): void => setMessages([...turns, { role: "assistant", parts }]);
      try {
        await engine.value!.chat(
          turns,
          { seed: seed.current++ },
          (part) => {
            parts = joined(parts, part);
            show();
          },
          signal,
        );
      } finally {
        if (parts.length > 0) show();
      }
    });
  };
  const send = (event: Event): void => {
    event.preventDefault();
    const words = text.trim();
    if (!words || !engine.value || replying.running) return;
    const parts: readonly Part[] = picture ? [{ picture }, { text: words }] : [{ text: words }];
    setText("");
    setPicture(undefined);
    reply([...messages, { role: "user", parts }]);
  };
  /** Takes a turn of the user's back into the input. */
  const edit = (i: number): void => {
    const parts = messages[i]?.parts ?? [];
    replying.stop();
    setMessages(messages.slice(0, i));
    setText(parts.map((part) => ("text" in part ? part.text : "")).join(""));
    setPicture(parts.flatMap((part) => ("picture" in part ? [part.picture] : []))[0]);
  };
  const lastReply = messages.at(-1)?.role === "assistant" && !replying.running;
  return (
    <div class="chat">
      <ol class="messages" aria-live="polite">
        {messages.map((message, i) => (
          <li key={i} class={message.role}>
            <span class="sr">{message.role === "user" ? "You" : "Seedling"}:</span>
            {message.parts.map((part, j) =>
              "text" in part ? (
                <p key={j}>{part.text}</p>
              ) : (
                <button
                  type="button"
                  class="tile"
                  key={j}
                  aria-label="Look at this picture's codes"
                  onClick={() => {
                    handed.value = part.picture;
                    openTab("see");
                  }}
                >
                  <img class="pixels" src={part.picture.url} alt="" />
                </button>
              ),
            )}
            {message.role === "user" && (
              <button type="button" class="small plain" onClick={() => edit(i)}>
                Edit
              </button>
            )}
          </li>
        ))}
      </ol>
      {messages.length === 0 && (
        <p class="hint">
          Add a picture and ask about it, or ask for one: “draw a small red balloon on a white background”.
        </p>
      )}
      <Busy running={replying.running} onStop={replying.stop} label="Replying" />
      <ErrorNotice text={replying.error || attaching.error} />
      <div ref={end} />
      <div class="row">
        {(lastReply || replying.error) && messages.length > 0 && (
          <button type="button" class="small" onClick={() => reply(lastReply ? messages.slice(0, -1) : messages)}>
            Try again
          </button>
        )}
        {messages.length > 0 && (
          <button
            type="button"
            class="small"
            onClick={() => {
              replying.stop();
              setMessages([]);
            }}
          >
            New conversation
          </button>
        )}
      </div>
      <form onSubmit={send}>
        {picture && (
          <span class="attached">
            <img src={picture.url} alt="Attached" width="40" height="40" />
            <button type="button" class="small" aria-label="Remove the picture" onClick={() => setPicture(undefined)}>
              ×
            </button>
          </span>
        )}
        <textarea
          rows={1}
          aria-label="Message"
          placeholder="Write a message"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
          }}
        />
        <button type="submit" disabled={text.trim() === "" || replying.running || !engine.value}>
          Send
        </button>
      </form>
      <PictureInput label="Add a picture" onPicture={attach} paste={tab.value === "chat"} />
    </div>
  );
}

/** Text joins the text before it. */
function joined(parts: readonly Part[], part: Part): readonly Part[] {
  const last = parts.at(-1);
  if (!("text" in part) || !last || !("text" in last)) return [...parts, part];
  return [...parts.slice(0, -1), { text: last.text + part.text }];
}
