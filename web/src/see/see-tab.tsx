/** A picture becomes 32 codes and a picture again; what it shows; questions; another picture next to it, code by code. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { CodeChips } from "../parts/code-chips.tsx";
import { Busy, ErrorNotice } from "../parts/notice.tsx";
import { pictureUrl } from "../parts/picture-file.ts";
import { PictureInput } from "../parts/picture-input.tsx";
import { engine, handed, model } from "../state/app-state.ts";
import { useTask } from "../state/use-task.ts";
import { Questions } from "./questions.tsx";

interface Seen {
  readonly url: string;
  readonly codes: readonly number[];
}

interface Decoded {
  readonly keep: number;
  readonly url: string;
  readonly ms: number;
}

export function SeeTab({ active }: { readonly active: boolean }) {
  const [picture, setPicture] = useState<Seen>();
  const [other, setOther] = useState<Seen>();
  const [keep, setKeep] = useState(32);
  const [decoded, setDecoded] = useState<Decoded>();
  const [text, setText] = useState("");
  const [times, setTimes] = useState<Readonly<Record<string, number>>>({});
  const encoding = useTask();
  const decoding = useTask();
  const describing = useTask();
  const comparing = useTask();

  const encode = async (file: Blob, signal: AbortSignal): Promise<Seen> => {
    const url = await pictureUrl(file);
    if (!engine.value) throw new Error("The model is not ready yet.");
    return { url, codes: await engine.value.encode(url, signal) };
  };
  const open = useCallback((file: Blob): void => {
    void encoding.start(async (signal) => {
      const begun = performance.now();
      const seen = await encode(file, signal);
      setDecoded(undefined);
      setText("");
      setOther(undefined);
      setTimes({ encode: performance.now() - begun });
      setPicture(seen);
      setKeep(32);
    });
  }, []);
  const compare = useCallback((file: Blob): void => {
    void comparing.start(async (signal) => setOther(await encode(file, signal)));
  }, []);

  // A picture that was drawn or chatted about.
  useEffect(() => {
    if (!active || !handed.value) return;
    const { url, codes } = handed.value;
    handed.value = undefined;
    setPicture({ url, codes });
    setDecoded(undefined);
    setOther(undefined);
    setText("");
    setTimes({});
    setKeep(32);
  }, [active, handed.value]);

  // The picture of the first codes. A slider that moves on cancels what is not wanted any more.
  useEffect(() => {
    if (!picture || !engine.value) return;
    const timer = setTimeout(() => {
      void decoding.start(async (signal) => {
        const begun = performance.now();
        const url = await engine.value!.decode(picture.codes, { keep, seed: 0 }, signal);
        setDecoded({ keep, url, ms: performance.now() - begun });
      });
    }, 120);
    return () => clearTimeout(timer);
  }, [picture, keep, model.value, engine.value]);

  useEffect(() => {
    if (!picture || !engine.value) return;
    void describing.start(async (signal) => {
      const begun = performance.now();
      setText(await engine.value!.describe(picture.codes, signal));
      setTimes((known) => ({ ...known, describe: performance.now() - begun }));
    });
  }, [picture, model.value, engine.value]);

  const equal = other && picture ? picture.codes.filter((code, i) => code === other.codes[i]).length : 0;
  return (
    <div class="see">
      <PictureInput label="Choose a picture" onPicture={open} paste={active} examples />
      <Busy running={encoding.running} onStop={encoding.stop} label="Encoding" />
      <ErrorNotice text={encoding.error} />
      {picture && (
        <>
          <div class="pair">
            <figure>
              <img class="big" src={picture.url} alt="As given" />
              <figcaption>the picture</figcaption>
            </figure>
            <figure>
              {decoded ? (
                <img class="big pixels" src={decoded.url} alt={`Decoded from the first ${decoded.keep} codes`} />
              ) : (
                <div class="big placeholder" />
              )}
              <figcaption>
                {decoded
                  ? `from ${decoded.keep} code${decoded.keep === 1 ? "" : "s"}, ${time(decoded.ms)}`
                  : "decoding …"}
              </figcaption>
            </figure>
            {other && (
              <figure>
                <img class="big" src={other.url} alt="To compare with" />
                <figcaption>{equal} of 32 codes equal</figcaption>
              </figure>
            )}
          </div>
          <label class="slider">
            <span>Codes used: {keep}</span>
            <input
              type="range"
              min="1"
              max="32"
              value={keep}
              onInput={({ currentTarget }) => setKeep(Number(currentTarget.value))}
            />
          </label>
          <ErrorNotice text={decoding.error} />
          <CodeChips codes={picture.codes} keep={keep} compare={other?.codes} onKeep={setKeep} />
          {other && <CodeChips codes={other.codes} compare={picture.codes} />}
          <p class="description" aria-live="polite">
            {describing.running ? "Describing …" : text}
          </p>
          <ErrorNotice text={describing.error} />
          <Questions codes={picture.codes} url={picture.url} />
          <details>
            <summary>Compare with another picture</summary>
            <PictureInput label="Choose the other picture" onPicture={compare} examples />
            <ErrorNotice text={comparing.error} />
          </details>
          <p class="hint">
            {Object.entries(times)
              .map(([what, ms]) => `${what} ${time(ms)}`)
              .join(" · ")}
          </p>
        </>
      )}
    </div>
  );
}

function time(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
