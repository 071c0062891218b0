/** The most memory that this process has had, mapped weight files included. */
import { readFileSync } from "node:fs";

/** Where mapped files are counted at all, every process has more of them than this: Node's own program is larger. */
const LEAST_MAPPED = 8 * 2 ** 20;

/** Bytes. `mapped`: the size of the weight files, added where the system leaves mapped files out of its count. */
export function peakMemory(mapped: number): number {
  const status = linuxStatus();
  // maxRSS of a child process begins at what its parent had; Linux counts each program's own peak too.
  const peak = status === undefined ? 1024 * process.resourceUsage().maxRSS : kilobytes(status, "VmHWM");
  const counted = status === undefined || kilobytes(status, "RssFile") >= LEAST_MAPPED;
  return peak + (counted ? 0 : mapped);
}

function kilobytes(status: string, name: string): number {
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

/** undefined where there is no such file. */
function linuxStatus(): string | undefined {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    return status.includes("VmHWM") ? status : undefined;
  } catch {
    return undefined;
  }
}
