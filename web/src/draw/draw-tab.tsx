/** Pictures of words: codes appear as they are written, and the picture sharpens with them. */
import { useCallback, useState } from "preact/hooks";
import type { Picture } from "../engine/engine.ts";
import { CodeChips } from "../parts/code-chips.tsx";
import { Busy, ErrorNotice } from "../parts/notice.tsx";
import { pictureUrl } from "../parts/picture-file.ts";
import { PictureInput } from "../parts/picture-input.tsx";
import { readRecipe } from "../parts/png-note.ts";
import { engine, handed, openTab } from "../state/app-state.ts";
import { remember, remembered, rememberList } from "../state/store.ts";
import { useTask } from "../state/use-task.ts";

interface Drawn extends Picture {
  readonly prompt: string;
  readonly seed: number;
  readonly temperature: number;
  readonly guidanceScale?: number;
  readonly done: boolean;
}

const [MOST_KEPT, MOST_AT_ONCE] = [60, 8];
const HISTORY = "drawings";

export function DrawTab() {
  const [prompt, setPrompt] = useState("two red apples above a blue car");
  const [seed, setSeed] = useState(1);
  const [temperature, setTemperature] = useState(1);
  const [guidanceScale, setGuidanceScale] = useState<number>();
  const [count, setCount] = useState(4);
  const [drawn, setDrawn] = useState<readonly Drawn[]>([]);
  const [history, setHistory] = useState<readonly Drawn[]>(remembered<readonly Drawn[]>(HISTORY, []));
  const [chosen, setChosen] = useState<Drawn>();
  const [note, setNote] = useState("");
  const drawing = useTask();

  const draw = (event: Event): void => {
    event.preventDefault();
    const words = prompt.trim();
    if (!words || !engine.value) return;
    const seeds = Array.from({ length: count }, (_, i) => seed + i);
    setChosen(undefined);
    setNote("");
    const settings = { temperature, guidanceScale };
    setDrawn(seeds.map((own) => ({ prompt: words, seed: own, ...settings, url: "", codes: [], done: false })));
    const update = (own: number, change: Partial<Drawn>): void =>
      setDrawn((list) => list.map((one) => (one.seed === own ? { ...one, ...change } : one)));
    void drawing.start(async (signal) => {
      const one = async (own: number): Promise<void> => {
        const picture = await engine.value!.draw(
          words,
          { seed: own, ...settings },
          ({ codes, url }) => update(own, url ? { codes, url } : { codes }),
          signal,
        );
        const whole = { ...picture, ...settings, prompt: words, seed: own, done: true };
        update(own, whole);
        setHistory(rememberList<Drawn>(HISTORY, whole, MOST_KEPT));
      };
      await Promise.all(seeds.map(one));
    });
  };
  const load = useCallback(async (file: Blob): Promise<void> => {
    const recipe = await readRecipe(file);
    if (!recipe) return setNote("This picture carries no recipe: it was not drawn by Seedling, or it was saved again.");
    again({ ...recipe, url: await pictureUrl(file), done: true });
    setNote("The recipe of this picture is filled in. Draw to get it again.");
  }, []);
  const again = (one: Drawn): void => {
    setPrompt(one.prompt);
    setSeed(one.seed);
    setTemperature(one.temperature);
    setGuidanceScale(one.guidanceScale);
    setCount(1);
    setChosen(one);
  };

  return (
    <div class="draw">
      <form onSubmit={draw}>
        <label class="wide">
          Prompt
          <textarea
            rows={2}
            value={prompt}
            maxLength={2000}
            onInput={({ currentTarget }) => setPrompt(currentTarget.value)}
          />
        </label>
        <label>
          Seed
          <input
            type="number"
            min="0"
            max="2147483000"
            value={seed}
            onInput={({ currentTarget }) => setSeed(Number(currentTarget.value))}
          />
        </label>
        <label>
          Variety
          <input
            type="range"
            min="0"
            max="1.5"
            step="0.1"
            value={temperature}
            onInput={({ currentTarget }) => setTemperature(Number(currentTarget.value))}
          />
        </label>
        <label>
          Guidance
          <input
            type="number"
            min="0"
            max="20"
            step="0.5"
            placeholder="the model’s"
            value={guidanceScale ?? ""}
            onInput={({ currentTarget: { value } }) => setGuidanceScale(value === "" ? undefined : Number(value))}
          />
        </label>
        <label>
          Pictures
          <input
            type="number"
            min="1"
            max={MOST_AT_ONCE}
            value={count}
            onInput={({ currentTarget }) => setCount(Math.min(MOST_AT_ONCE, Math.max(1, Number(currentTarget.value))))}
          />
        </label>
        <button type="submit" disabled={prompt.trim() === "" || drawing.running || !engine.value}>
          Draw
        </button>
      </form>
      <Busy running={drawing.running} onStop={drawing.stop} label="Drawing" />
      <ErrorNotice text={drawing.error} />
      {note && <p role="status">{note}</p>}
      <Grid pictures={drawn} onChoose={setChosen} />
      {chosen?.done && <Chosen one={chosen} />}
      {history.length > 0 && (
        <details>
          <summary>Earlier drawings ({history.length})</summary>
          <Grid pictures={history} onChoose={again} small />
          <button
            type="button"
            class="plain"
            onClick={() => {
              remember(HISTORY, []);
              setHistory([]);
            }}
          >
            Forget them
          </button>
        </details>
      )}
      <details>
        <summary>Get the recipe of a picture back</summary>
        <PictureInput label="Choose a PNG that was drawn here" camera={false} onPicture={(file) => void load(file)} />
      </details>
    </div>
  );
}

interface GridProps {
  readonly pictures: readonly Drawn[];
  readonly onChoose: (one: Drawn) => void;
  readonly small?: boolean;
}

function Grid({ pictures, onChoose, small = false }: GridProps) {
  return (
    <ul class={small ? "grid small" : "grid"}>
      {pictures.map((one, i) => (
        <li key={`${one.seed}-${i}`}>
          <button
            type="button"
            class="tile"
            disabled={!one.done}
            onClick={() => onChoose(one)}
            aria-label={`${one.prompt}, seed ${one.seed}`}
          >
            {one.url ? (
              <img class={`pixels${one.done ? "" : " draft"}`} src={one.url} alt="" />
            ) : (
              <span class="placeholder" />
            )}
          </button>
          <span class="hint">{one.done ? `seed ${one.seed}` : `${one.codes.length} of 32 codes`}</span>
        </li>
      ))}
    </ul>
  );
}

function Chosen({ one }: { readonly one: Drawn }) {
  return (
    <div class="chosen">
      <img class="big pixels" src={one.url} alt={one.prompt} />
      <div>
        <p>
          {one.prompt} <span class="hint">seed {one.seed}</span>
        </p>
        <div class="row">
          <a class="button" href={one.url} download={`${one.prompt.replace(/\W+/g, "-").slice(0, 40)}-${one.seed}.png`}>
            Download
          </a>
          <button
            type="button"
            onClick={() => {
              handed.value = one;
              openTab("see");
            }}
          >
            Look at its codes
          </button>
        </div>
        <CodeChips codes={one.codes} />
      </div>
    </div>
  );
}
