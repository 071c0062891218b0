/** A still picture from the camera, cut to a square as the models see it. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface CameraProps {
  readonly onPicture: (picture: Blob) => void;
  readonly onClose: () => void;
}

export function Camera({ onPicture, onClose }: CameraProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [error, setError] = useState("");
  useEffect(() => {
    dialog.current?.showModal();
    let stream: MediaStream | undefined;
    let closed = false;
    navigator.mediaDevices
      .getUserMedia({ video: { facingMode: "environment" } })
      .then((opened) => {
        stream = opened;
        if (closed) for (const track of opened.getTracks()) track.stop();
        else if (video.current) video.current.srcObject = opened;
      })
      .catch(() => setError("There is no camera here, or the browser may not use it."));
    return () => {
      closed = true;
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
  }, []);
  const take = (): void => {
    const element = video.current;
    if (!element) return;
    const side = Math.min(element.videoWidth, element.videoHeight);
    const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const [x, y] = [(element.videoWidth - side) / 2, (element.videoHeight - side) / 2];
    canvas.getContext("2d")?.drawImage(element, x, y, side, side, 0, 0, side, side);
    canvas.toBlob((blob) => {
      if (blob) onPicture(blob);
      onClose();
    }, "image/png");
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-label="Camera">
      {error ? <p role="alert">{error}</p> : <video ref={video} autoplay muted playsInline />}
      <div class="row">
        {!error && (
          <button type="button" onClick={take}>
            Take picture
          </button>
        )}
        <button type="button" class="plain" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
