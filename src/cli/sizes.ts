/** Sizes as people read them. */

/** "512 B", "1.23 MB", "4.60 GB"; powers of 1000. */
export function formatBytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : scaled(bytes, ["kB", "MB", "GB", "TB"]);
}

/** "824", "1.15 B", "307 M". */
export function formatCount(count: number): string {
  return count < 1000 ? String(count) : scaled(count, ["K", "M", "B", "T"]);
}

function scaled(value: number, units: readonly string[]): string {
  let [scaledValue, unit] = [value / 1000, 0];
  while (scaledValue >= 999.5 && unit < units.length - 1) [scaledValue, unit] = [scaledValue / 1000, unit + 1];
  return `${scaledValue < 1000 ? scaledValue.toPrecision(3) : Math.round(scaledValue)} ${units[unit]}`;
}
