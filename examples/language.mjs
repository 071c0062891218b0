// A model that sees and draws: what a picture shows, an answer, a drawing, and a conversation with both.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SeedLanguageModel } from "seedling";

const model = await SeedLanguageModel.fromPretrained(); // the bundled models/seedling-mini
const picture = fileURLToPath(new URL("turtle.png", import.meta.url));

console.log("it shows:", (await model.describe([picture]))[0]);
console.log("how many things are there?", await model.ask(picture, "how many things are there?"));

const [drawing] = await model.draw("two fish on a blue background", { seed: 3, guidance: 2 });
await writeFile("drawn.png", await drawing.png());

/** @type {import("seedling").Turn[]} */
const turns = [{ role: "user", parts: ["draw a red apple."] }];
for await (const event of model.chat(turns, { seed: 3 })) {
  if (event.kind === "text") console.log("it says:", event.text);
  if (event.kind === "image") console.log("it draws:", event.drawing.codes.join(" "));
  if (event.kind === "end") turns.push(event.turn, { role: "user", parts: ["what do you see?"] });
}
for await (const event of model.chat(turns, { seed: 3, images: "never" }))
  if (event.kind === "text") process.stdout.write(event.text);
console.log();

await model.close();
