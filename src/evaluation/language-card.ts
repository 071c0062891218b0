/** The scorecard of a language model that sees and draws: test scenes, held-out style, held-out pairs. */
import { item } from "../base/item.ts";
import { CODES_PER_IMAGE } from "../codes/index.ts";
import { sayCaption } from "../data/captions.ts";
import { describedScenes } from "../data/described-codes.ts";
import { type Atlas, createSceneSource, isHeldOutConcept, type Split } from "../data/index.ts";
import { isHeldOutText, wordNetTexts } from "../data/texts.ts";
import { openLanguageModel } from "../language/generation/index.ts";
import type { SeedLanguageModel, Turn } from "../language/index.ts";
import type { Judge } from "./judge.ts";
import { judgedRoutes } from "./judged.ts";
import {
  type CodedScene,
  describingScores,
  drawingScores,
  likeliestAnswers,
  type Progress,
  questionScores,
  type Speaker,
  spanScores,
} from "./language-scores.ts";
import { nounList } from "./metrics/noun-list.ts";
import { captionScores } from "./metrics/read-caption.ts";
import { type TextScore, textPerplexity } from "./metrics/text-perplexity.ts";
import { NearestCaptions } from "./nearest-captions.ts";
import type { CardProgress } from "./scorecard.ts";

export interface LanguageCardOptions {
  /** The drawings that scenes are made of. */
  readonly atlas: Atlas;
  /** Scenes that are described and asked about, in each split. */
  readonly count: number;
  /** Prompts that are drawn; each is decoded three times. */
  readonly drawings: number;
  /** Prompts that are drawn without any rule, to see whether a picture comes out. */
  readonly spans: number;
  /** Training scenes whose answers and captions are the baseline without a model. Default 40,000. */
  readonly trainingScenes?: number;
  /** Names what drawings show; without it they are not judged. */
  readonly pictureJudge?: Judge;
  /** The first n everyday nouns, those of the recipe; 0 for the full table. */
  readonly nouns: number;
  /** First seed of the scenes. Default 0. */
  readonly offset?: number;
  /** A line for each result as it is known. */
  readonly onResult?: (line: string) => void;
  readonly onProgress?: CardProgress;
}

const SPLITS: readonly Split[] = ["test", "held-out-style", "held-out-pairs"];
/** Tokens of each held-out gloss that are predicted, and the number of glosses. */
const [TEXT_TOKENS, TEXTS] = [24, 160];

export async function languageCard(
  model: SeedLanguageModel,
  options: LanguageCardOptions,
): Promise<Record<string, unknown>> {
  const { atlas, offset = 0, count, drawings, spans, trainingScenes = 40_000 } = options;
  const { pictureJudge, onResult: report, onProgress } = options;
  const list = nounList(options.nouns);
  const known = list.filter((noun) => !isHeldOutConcept(noun));
  const size = model.tokenizer.config.vision.imageSize;
  const speaker = speakerOf(model);
  const { describing } = model.manifest;
  const scores: Record<string, unknown> = { nouns: known.length, scenes: count, describing };
  if (offset > 0) scores.offset = offset;
  onProgress?.("texts");
  scores.text = await textScores(model, report);
  const training = createSceneSource(atlas, { size: 8, nouns: list, split: "train" }); // no pixels needed
  const habit = likeliestAnswers(
    Array.from({ length: trainingScenes }, (_, i) => ({ questions: training.scene(i).questions })),
  );
  onProgress?.("captions without a language model");
  const nearest = await NearestCaptions.of(
    model.tokenizer,
    Array.from({ length: trainingScenes }, (_, i) => sayCaption(training.plan(i).said)),
  );
  for (const split of SPLITS) {
    const source = createSceneSource(atlas, { size, nouns: list, split, offset });
    const rows = await describedScenes((images) => model.tokenizer.encode(images), source, 0, count);
    const scenes: CodedScene[] = rows.map(({ codes }, i) => ({ scene: source.scene(i), codes }));
    const progress =
      (what: string): Progress =>
      (done, total) =>
        onProgress?.(what, done, total);
    const described = await describingScores(speaker, scenes, known, progress(`captions, ${split}`));
    const floor = await nearest.describe(rows.map(({ codes }) => codes));
    const shown = scenes.map(({ scene }) => scene);
    const captions = { ...described, withoutLanguageModel: captionScores(floor, shown, known) };
    scores[`captions ${split}`] = captions;
    report?.(
      `captions, ${split}: object F1 ${captions.objectF1.toFixed(3)}, in one go ${captions.once.objectF1.toFixed(3)}, without a language model ${captions.withoutLanguageModel.objectF1.toFixed(3)}`,
    );
    const questions = await questionScores(speaker, scenes, habit, progress(`questions, ${split}`));
    scores[`questions ${split}`] = questions;
    const { seeing, questionOnly, likeliest } = questions;
    const right = [seeing, questionOnly, likeliest].map((percent) => percent.toFixed(1));
    report?.(`questions, ${split}: ${right[0]} % right, without the picture ${right[1]}, likeliest answer ${right[2]}`);
    if (split === "held-out-style") continue; // prompts have no style
    const some = scenes.slice(0, drawings);
    const { pictures, ...drawn } = await drawingScores(
      speaker,
      model.tokenizer,
      some,
      known,
      progress(`drawings, ${split}`),
    );
    scores[`drawings ${split}`] = drawn;
    report?.(
      `drawings, ${split}: ${drawn.drawn.toFixed(1)} % of objects found, real codes ${drawn.realCodes.toFixed(1)}`,
    );
    if (!pictureJudge) continue;
    const asked = some.map(({ scene }) => scene);
    const drawnForAnother = [...pictures.drawn.slice(1), ...pictures.drawn.slice(0, 1)];
    const { judged, shares } = await judgedRoutes(pictureJudge, asked, { ...pictures, drawnForAnother });
    scores[`drawings ${split}, judged`] = judged;
    scores[`drawings ${split}, share of real pictures`] = shares;
    report?.(
      `drawings, ${split}: the judge finds ${shares.drawn?.objectsFound.mean.toFixed(1)} % of what it finds in real pictures`,
    );
  }
  const prompts = createSceneSource(atlas, { size, nouns: list, split: "test", offset });
  const wishes = Array.from({ length: spans }, (_, i) => prompts.scene(i).caption);
  scores.spans = await spanScores(speaker, wishes, (done, total) =>
    onProgress?.("drawings without a rule", done, total),
  );
  return scores;
}

/** Held-out glosses of WordNet: the base alone, and with the adapter. */
async function textScores(
  { folders }: SeedLanguageModel,
  report: LanguageCardOptions["onResult"],
): Promise<{ readonly base: TextScore; readonly adapted: TextScore }> {
  const texts = (await wordNetTexts()).filter(isHeldOutText);
  const score = async (adapter?: string): Promise<TextScore> => {
    const opened = await openLanguageModel(folders.lm, { adapter });
    try {
      const ids = texts.map((text) => opened.tokenizer.encode(text)).filter(({ length }) => length >= TEXT_TOKENS);
      return await textPerplexity(opened, ids.slice(0, TEXTS), TEXT_TOKENS);
    } finally {
      await opened.close();
    }
  };
  const scores = { base: await score(), adapted: await score(folders.adapter) };
  report?.(
    `texts: perplexity ${scores.base.perplexity.toFixed(1)} before, ${scores.adapted.perplexity.toFixed(1)} after`,
  );
  return scores;
}

/** The model in the form that scoring uses. */
export function speakerOf(model: SeedLanguageModel): Speaker {
  const short = { maxTokens: 60 } as const;
  const certain = { ...short, temperature: 0 } as const;
  const request = (prompt: string): Turn[] => [{ role: "user", parts: [model.request(prompt)] }];
  return {
    async describe(pictures, onReply) {
      const images = pictures.map((codes) => ({ codes }));
      return model.describe(images, { ...short, onReply });
    },
    async describeOnce(pictures, onReply) {
      const images = pictures.map((codes) => ({ codes }));
      return model.describe(images, { ...certain, onReply });
    },
    async ask(asked, onReply) {
      const conversations = asked.map(({ codes, question }): Turn[] => [
        { role: "user", parts: codes ? [{ codes }, question] : [question] },
      ]);
      const options = { ...certain, images: "never", onReply } as const;
      return (await model.respond(conversations, options)).map(({ text }) => text);
    },
    async draw(prompts, onReply) {
      const options = { images: "force", maxTokens: CODES_PER_IMAGE + 2, onReply } as const;
      return (await model.respond(prompts.map(request), options)).map(({ pictures }) => item(pictures, 0));
    },
    async drawFreely(prompts, onReply) {
      const options = { images: "free", maxTokens: 60, onReply } as const;
      const replies = await model.respond(prompts.map(request), options);
      return replies.map(({ pictures, broken }) => (broken ? undefined : pictures[0]));
    },
  };
}
