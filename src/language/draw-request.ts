/** Plain requests to draw, told apart from everything else in a conversation. */
import type { LmManifest } from "../text/index.ts";

/** In characters. What is longer is not a plain request. */
const MAX_LENGTH = 400;

const POLITE = "(?:(?:please|now|then|and|ok|okay|hey|hi|so),?\\s+)*";
const ASKED =
  "(?:(?:can|could|will|would)\\s+you\\s+(?:please\\s+)?|i(?:'d|\\s+would)\\s+like\\s+you\\s+to\\s+|let's\\s+)?";
const PICTURE =
  "(?:a|an|the|another|one\\s+more)?\\s*(?:picture|image|drawing|painting|sketch|illustration|photo)\\s+(?:of|with)\\s+";
/** "draw" alone asks for a picture; "make" does only with "a picture of". */
const VERBS = `(?:(?:draw|paint|sketch|illustrate)\\s+(?:me\\s+|us\\s+)?(?:${PICTURE})?|(?:make|create|generate|produce|show)\\s+(?:me\\s+|us\\s+)?${PICTURE})`;
const REQUEST = new RegExp(`^${POLITE}${ASKED}${VERBS}(.+)$`, "isu");
/** What ends a request and is not part of what is asked for. */
const END = /(?:[\s,]*\b(?:please|for\s+(?:me|us)|thanks|thank\s+you))*[\s.!?]*$/isu;
/** Words that refer to what was said or shown before, which a drawing from a prompt alone cannot know. */
const POINTING =
  /^(?:it|this|that|these|those|them|him|her|again|something|anything|what|how|why|whatever|one\s+more)\b|^(?:one|another)[\s.!?]*$|^another\s+one\b|\b(?:it|this|that|these|those|them|same)[\s.!?]*$|\b(?:this|these|those|the\s+same)\s/iu;

/**
 * What a plain request to draw asks for: "Can you draw a red apple, please?" -> "a red apple". Undefined for anything else,
 * also for requests that refer to the conversation ("draw it again"): the model answers those.
 */
export function drawRequest(text: string, { requests }: Pick<LmManifest, "requests">): string | undefined {
  const words = text.trim();
  if (words.length > MAX_LENGTH) return undefined;
  const asked = REQUEST.exec(words)?.[1] ?? afterTemplate(words, requests.draw);
  const prompt = asked?.replace(END, "").trim();
  if (prompt === undefined || prompt === "" || POINTING.test(prompt)) return undefined;
  return prompt.replace(/^another\s/i, "a ");
}

/** What stands for `{prompt}` in a text that is the adapter's own request. */
function afterTemplate(text: string, template: string): string | undefined {
  const [before = "", after = ""] = template.split("{prompt}");
  const fits = before.trim() !== "" && text.toLowerCase().startsWith(before.toLowerCase()) && text.endsWith(after);
  return fits ? text.slice(before.length, text.length - after.length) : undefined;
}
