/** The codes that a command is given: text, JSON lines, packed files and standard input. */

import { basename } from "node:path";
import { addAbortSignal } from "node:stream";
import { decodeText } from "../base/decode-text.ts";
import { InputError } from "../base/errors.ts";
import { checkCodes, type ImageCodes, PACKED_BYTES, parseCodes, parseCodesJson, unpackCodes } from "../codes/index.ts";
import { readFileBounded } from "../io/files.ts";
import type { Report } from "./report.ts";

/** Largest file of codes, bytes: five million packed pictures. */
const MAX_CODES_FILE = 256 * 1024 ** 2;

export interface NamedCodes extends ImageCodes {
  /** Without folder and ending, for the picture file that is written. */
  readonly stem: string;
}

export interface CodeInputOptions {
  readonly packed?: boolean;
  /** Entries of the codebook. */
  readonly size: number;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** A file of codes, or standard input, which is read when the model is ready for it. */
export interface CodeFile {
  readonly input: string;
  /** Undefined for standard input. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * Reads the files, before a model is opened; one that cannot be read is reported and left out.
 * @throws Reported if nothing is left
 */
export async function codeFiles(inputs: readonly string[], report: Report): Promise<CodeFile[]> {
  const files: CodeFile[] = [];
  for (const input of inputs)
    try {
      files.push({ input, bytes: input === "-" ? undefined : await readFileBounded(input, MAX_CODES_FILE) });
    } catch (error) {
      report.problem(error);
    }
  if (files.length === 0) report.finish(0);
  return files;
}

/** All codes of all files; what is wrong is reported and left out, line by line. */
export async function readCodes(
  files: readonly CodeFile[],
  { packed = false, size, report, signal }: CodeInputOptions,
): Promise<NamedCodes[]> {
  const all: NamedCodes[] = [];
  for (const { input, bytes: read } of files)
    try {
      const bytes = read ?? (await standardInput(signal));
      const where = input === "-" ? "standard input" : input;
      const stem = input === "-" ? "codes" : withoutEnding(input);
      const parsers = packed ? packedParsers(bytes, where, size) : lineParsers(bytes, where, size);
      for (const [i, parse] of parsers.entries())
        try {
          const { image, codes } = parse();
          const name = parsers.length === 1 ? stem : `${stem}-${i + 1}`;
          all.push({ codes, image, stem: image === undefined ? name : withoutEnding(image) });
        } catch (error) {
          report.problem(error);
        }
    } catch (error) {
      report.problem(error);
    }
  return all;
}

function packedParsers(bytes: Uint8Array, where: string, size: number): (() => ImageCodes)[] {
  return unpackCodes(bytes, where).map((codes, i) => () => ({
    codes: checkCodes(codes, `${where} picture ${i + 1}`, size),
  }));
}

function lineParsers(bytes: Uint8Array, where: string, size: number): (() => ImageCodes)[] {
  const text = textOf(bytes, where);
  if (text === undefined) {
    const hint = bytes.length % PACKED_BYTES === 0 ? "Add --packed if these are packed codes." : "Is it a picture?";
    throw new InputError(`${where}: expected lines of 32 codes, got a binary file. ${hint}`);
  }
  const lines = text.split("\n").map((line, i) => ({ line: line.trim(), at: `${where} line ${i + 1}` }));
  const full = lines.filter(({ line }) => line !== "");
  if (full.length === 0) throw new InputError(`${where}: expected lines of 32 codes, got none.`);
  return full.map(
    ({ line, at }) =>
      () =>
        /^[{[]/.test(line) ? parseCodesJson(line, at, size) : { codes: parseCodes(line, at, size) },
  );
}

/** Undefined for packed codes, pictures and the like. PowerShell redirects in UTF-16. */
function textOf(bytes: Uint8Array, where: string): string | undefined {
  try {
    const text = decodeText(bytes, where);
    return [...text].some((c) => c < "\t") ? undefined : text;
  } catch {
    return undefined;
  }
}

async function standardInput(signal: AbortSignal): Promise<Uint8Array> {
  addAbortSignal(signal, process.stdin);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_CODES_FILE)
      throw new InputError(`standard input: expected at most ${MAX_CODES_FILE} bytes, got more.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function withoutEnding(path: string): string {
  return basename(path).replace(/\.[^.]+$/, "") || "picture";
}
