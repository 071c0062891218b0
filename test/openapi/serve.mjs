// A server for `run.sh`: the API with a model that computes nothing, and an index of one picture. Prints its address.

import { VERSION } from "../../dist/base/version.js";
import { packCodes } from "../../dist/index.js";
import { FlatIndex } from "../../dist/search/flat-index.js";
import { createApp } from "../../dist/server/app.js";
import { fakeModel } from "../../dist/server/fake-model.js";
import { listen } from "../../dist/server/listen.js";
import { ModelPool } from "../../dist/server/model-pool.js";
import { PictureSearch } from "../../dist/server/picture-search.js";

const model = fakeModel("fake", 0);
const index = {
  codebook: model.codebook,
  model: "fake",
  width: 2,
  pictures: [{ path: "examples/turtle.png", sizeBytes: 1, changedMs: 0 }],
  codes: packCodes([Array(32).fill(1)]),
  embeddings: Int8Array.of(127, 0),
  scales: Float32Array.of(1 / 127),
};
const app = createApp({
  pool: new ModelPool([{ id: "fake", open: async () => model }], { maxWaiting: 1000, keepAliveMs: 0 }),
  version: VERSION,
  hosts: ["127.0.0.1"],
  origins: [],
  maxBodyBytes: 1e6,
  pictures: { maxBytes: 1e6, allowUrls: false },
  deadlineMs: 5000,
  png: async () => new Uint8Array(4),
  search: new PictureSearch(new FlatIndex(index)),
  onError: (line) => process.stderr.write(`${line}\n`),
});
const { url } = await listen(app, { host: "127.0.0.1", port: 0, graceMs: 100 });
console.log(url);
