/** The 32 codes of a picture in causal order. A code has the same color everywhere, so equal ones show. */
import { useState } from "preact/hooks";
import { model } from "../state/app-state.ts";
import { type Sharing, sharing } from "./gallery.ts";

export interface CodeChipsProps {
  readonly codes: readonly number[];
  /** The first ones that count; the others are faded. */
  readonly keep?: number;
  /** Codes of another picture: those that are equal at the same place are marked. */
  readonly compare?: readonly number[];
  readonly onKeep?: (keep: number) => void;
}

export function CodeChips({ codes, keep = 32, compare, onKeep }: CodeChipsProps) {
  const [shown, setShown] = useState<Sharing & { readonly code: number }>();
  const show = async (code: number): Promise<void> => setShown({ code, ...(await sharing(model.value, code)) });
  return (
    <div class="codes">
      <ol class="chips" aria-label="Codes of the picture in causal order">
        {codes.map((code, i) => {
          const same = compare?.[i] === code;
          const name = `Code ${i + 1}: ${code}${compare ? (same ? ", the same in both" : ", different") : ""}`;
          return (
            <li key={i}>
              <button
                type="button"
                class={`chip${i < keep ? "" : " faded"}${compare && same ? " same" : ""}`}
                style={{ "--hue": String((code * 137.508) % 360) }}
                aria-label={name}
                onMouseEnter={() => void show(code)}
                onFocus={() => void show(code)}
                onClick={() => onKeep?.(i + 1)}
              >
                {code}
              </button>
            </li>
          );
        })}
        {Array.from({ length: Math.max(0, 32 - codes.length) }, (_, i) => (
          <li key={`empty-${i}`}>
            <span class="chip empty" />
          </li>
        ))}
      </ol>
      <p class="sharing" aria-live="polite">
        {shown ? (
          <>
            {shown.pictures.length > 0
              ? `Code ${shown.code} is also in:`
              : shown.of > 0
                ? `Code ${shown.code} is in none of ${shown.of} sample pictures.`
                : "There are no sample pictures of this model."}
            {shown.pictures.map(({ url, caption }) => (
              <img key={url} src={url} alt={caption} title={caption} width="44" height="44" />
            ))}
          </>
        ) : (
          <span class="hint">Point at a code to see pictures that share it; click one to decode up to it.</span>
        )}
      </p>
    </div>
  );
}
