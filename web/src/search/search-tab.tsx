/** Pictures of the server's index that show what a text says, that are like a picture, or both. */
import { useCallback, useState } from "preact/hooks";
import type { Found } from "../engine/engine.ts";
import { Busy, ErrorNotice } from "../parts/notice.tsx";
import { pictureUrl } from "../parts/picture-file.ts";
import { PictureInput } from "../parts/picture-input.tsx";
import { engine, handed, openTab } from "../state/app-state.ts";
import { useTask } from "../state/use-task.ts";

export function SearchTab({ active }: { readonly active: boolean }) {
  const [text, setText] = useState("");
  const [image, setImage] = useState("");
  const [found, setFound] = useState<readonly Found[]>();
  const searching = useTask();
  const attaching = useTask();

  const attach = useCallback((file: Blob): void => {
    void attaching.start(async () => setImage(await pictureUrl(file)));
  }, []);
  const search = (event: Event): void => {
    event.preventDefault();
    const words = text.trim();
    if (!engine.value || (!words && !image)) return;
    void searching.start(async (signal) => {
      const query = { text: words || undefined, image: image || undefined };
      setFound(await engine.value!.search(query, signal));
    });
  };
  return (
    <div class="chat">
      <form onSubmit={search}>
        {image && (
          <span class="attached">
            <img src={image} alt="Attached" width="40" height="40" />
            <button type="button" class="small" aria-label="Remove the picture" onClick={() => setImage("")}>
              ×
            </button>
          </span>
        )}
        <textarea
          rows={1}
          aria-label="What the pictures show"
          placeholder="two red apples"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) search(event);
          }}
        />
        <button type="submit" disabled={(text.trim() === "" && image === "") || searching.running}>
          Search
        </button>
      </form>
      <PictureInput label="Like a picture" onPicture={attach} paste={active} examples />
      <Busy running={searching.running} onStop={searching.stop} label="Searching" />
      <ErrorNotice text={searching.error || attaching.error} />
      {found?.length === 0 && <p>There is nothing in the index.</p>}
      {found && (
        <ul class="grid" aria-label="What was found">
          {found.map((one) => (
            <li key={one.path}>
              <button
                type="button"
                class="tile"
                title={one.path}
                aria-label={`${one.path}: look at its codes`}
                onClick={() => {
                  handed.value = one;
                  openTab("see");
                }}
              >
                <img src={one.url} alt="" loading="lazy" />
              </button>
              <span class="hint">{one.score.toFixed(3)}</span>
            </li>
          ))}
        </ul>
      )}
      {!found && <p class="hint">{engine.value?.indexed.toLocaleString()} pictures can be searched.</p>}
    </div>
  );
}
