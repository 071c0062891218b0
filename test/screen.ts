/** A terminal, or a pipe, that remembers what was written to it. */
import type { Screen } from "../src/cli/status-line.ts";

export class TestScreen implements Screen {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly colors: boolean;
  written = "";

  constructor({ isTTY = true, columns = 80, colors = false } = {}) {
    this.isTTY = isTTY;
    this.columns = columns;
    this.colors = colors;
  }

  hasColors(): boolean {
    return this.colors;
  }

  write(text: string): boolean {
    this.written += text;
    return true;
  }

  /** What was written since the last call. */
  take(): string {
    const text = this.written;
    this.written = "";
    return text;
  }
}
