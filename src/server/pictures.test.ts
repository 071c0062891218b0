import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { base64Bytes, isPublicAddress, pictureBytes } from "./pictures.ts";

const limits = { maxBytes: 100, allowUrls: false };

test("a data URL gives its bytes", async () => {
  const url = `data:image/png;base64,${Buffer.from("hello").toString("base64")}`;
  expect(Buffer.from(await pictureBytes(url, "image", limits)).toString()).toBe("hello");
});

test.each([
  ["data:image/png;base64,!!!!", "expected base64"],
  ["data:image/png;base64,abc", "expected base64"],
  ["data:image/png;base64,", "expected base64"],
  ["data:text/html;base64,aGk=", "expected a data URL of a picture"],
  ["data:image/png,raw", "expected a data URL of a picture"],
  ["file:///etc/passwd", "expected a data URL"],
  ["http://example.org/x.png", "does not fetch URLs"],
  [`data:image/png;base64,${"A".repeat(400)}`, "at most 100 bytes"],
])("%s is refused", async (url, message) => {
  await expect(pictureBytes(url, "image", limits)).rejects.toThrow(message);
});

test("an oversized text is refused before it is decoded", () => {
  expect(() => base64Bytes("A".repeat(1e6), "image", 1000)).toThrow("at most 1000 bytes");
});

test.each([
  "127.0.0.1",
  "10.1.2.3",
  "172.20.0.1",
  "192.168.1.1",
  "169.254.169.254",
  "100.100.0.1",
  "0.0.0.0",
  "255.255.255.255",
  "::1",
  "::",
  "fe80::1",
  "fd00::1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "64:ff9b::7f00:1",
  "not an address",
])("%s is not a public address", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111"])("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test("with URLs allowed, a server on this machine is still not asked, by address or by name", async () => {
  let asked = 0;
  const server = createServer((_, answer) => {
    asked++;
    answer.end("secret");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const open = { maxBytes: 100, allowUrls: true };
  for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
    await expect(pictureBytes(`http://${host}:${port}/`, "image", open)).rejects.toThrow("public address");
  expect(asked).toBe(0);
  server.close();
});
