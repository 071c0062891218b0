/** Checks parsed JSON against a schema, with every complaint on one line. */
import type { z } from "zod";
import { InputError } from "./errors.ts";
import { quote, reason } from "./one-line.ts";

/** A parser of parsed JSON from a zod schema; with z.strictObject an unknown key is an error. */
export function parseWith<T>(schema: z.ZodType<T>): (json: unknown, where: string) => T {
  return (json, where) => {
    const result = schema.safeParse(json);
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => {
      const at = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
      return issue.code === "unrecognized_keys"
        ? `${at}unknown key ${issue.keys.map((key) => quote(key)).join(", ")}`
        : `${at}${issue.message}`;
    });
    const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
    throw new InputError(
      `${where}: ${problems
        .slice(0, 3)
        .map((p) => reason(p))
        .join("; ")}${more}.`,
    );
  };
}
