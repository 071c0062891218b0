/** Drop, paste, choose or photograph a picture, or take an example. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Camera } from "./camera.tsx";
import { pictureOf } from "./picture-file.ts";

export const EXAMPLES = [
  "turtle.png",
  "balloon-and-pigs.png",
  "rocket-and-car.jpg",
  "penguin-unseen-style.webp",
] as const;

export interface PictureInputProps {
  readonly label: string;
  readonly onPicture: (file: Blob) => void;
  /** Take pictures that are pasted anywhere on the page. */
  readonly paste?: boolean;
  readonly examples?: boolean;
  /** Default true. */
  readonly camera?: boolean;
  readonly children?: ComponentChildren;
}

export function PictureInput({ label, onPicture, paste = false, examples = false, ...props }: PictureInputProps) {
  const { camera: photographs = true, children } = props;
  const [over, setOver] = useState(false);
  const [camera, setCamera] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!paste) return;
    const pasted = (event: ClipboardEvent): void => {
      const file = pictureOf(event.clipboardData);
      if (file) onPicture(file);
    };
    addEventListener("paste", pasted);
    return () => removeEventListener("paste", pasted);
  }, [paste, onPicture]);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const file = pictureOf(event.dataTransfer);
    if (file) onPicture(file);
  };
  return (
    <div class="picture-input">
      <fieldset
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {children}
        <button type="button" class="plain" onClick={() => input.current?.click()}>
          {label}
        </button>
        <span class="hint">drop or paste one here</span>
        <input
          ref={input}
          type="file"
          accept="image/*"
          aria-label={label}
          hidden
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            event.currentTarget.value = ""; // the same file can be chosen again
            if (file) onPicture(file);
          }}
        />
      </fieldset>
      <div class="row">
        {photographs && "mediaDevices" in navigator && (
          <button type="button" class="small" onClick={() => setCamera(true)}>
            Camera
          </button>
        )}
        {examples &&
          EXAMPLES.map((name) => (
            <button type="button" class="thumb" key={name} onClick={() => void example(name).then(onPicture)}>
              <img src={`./examples/${name}`} alt={`Example: ${name.replace(/[-.]/g, " ")}`} width="40" height="40" />
            </button>
          ))}
      </div>
      {camera && <Camera onPicture={onPicture} onClose={() => setCamera(false)} />}
    </div>
  );
}

async function example(name: string): Promise<Blob> {
  return (await fetch(`./examples/${name}`)).blob();
}
