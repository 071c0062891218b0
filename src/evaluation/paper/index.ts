/** The scorecard of twins: arms as committed JSON in, Markdown and HTML out. */
export { readArms } from "./arms.ts";
export { readDiscussions } from "./discussions.ts";
export { paperHtml } from "./html.ts";
export { paperMarkdown } from "./markdown.ts";
export { SCENE_TABLES, sceneArm } from "./scenes/scene-arms.ts";
export type { SceneArmOptions } from "./scenes/sets.ts";
export { type ArmSpeaker, codesSpeaker, featuresSpeaker } from "./scenes/speakers.ts";
export { isSpoken } from "./scenes/understanding.ts";
export { paperView } from "./view.ts";
export { summary } from "./words.ts";
