/** What went wrong, and that something is in progress. */

export function ErrorNotice({ text }: { readonly text: string }) {
  return text ? (
    <p class="error" role="alert">
      {text}
    </p>
  ) : null;
}

export function Busy({
  running,
  onStop,
  label,
}: {
  readonly running: boolean;
  readonly onStop: () => void;
  readonly label: string;
}) {
  return running ? (
    <p class="busy" role="status">
      <span class="spinner" aria-hidden="true" /> {label}
      <button type="button" class="small" onClick={onStop}>
        Stop
      </button>
    </p>
  ) : null;
}
