/*
 * A service worker of static sites: keeps the page's own files, so that it opens without a network. Models are kept by the
 * library, which knows their versions.
 */
const CACHE = "seedling-page-1";
/** Names that carry a hash of their content never change. */
const HASHED = /\/assets\/[^/]+-[\w-]{8}\.\w+$/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const below = pathname.slice(new URL(self.registration.scope).pathname.length);
  if (request.method !== "GET" || origin !== self.location.origin || /^(v1|models)\//.test(below)) return;
  event.respondWith(answer(request, HASHED.test(pathname)));
});

async function answer(request, hashed) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept && hashed) return kept;
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
  if (!response.ok) return response;
  if (request.mode === "navigate" && kept && (await kept.text()) !== (await response.clone().text())) {
    for (const old of await cache.keys()) await cache.delete(old); // another version of the page
  }
  await cache.put(request, response.clone()).catch(() => {}); // the disk is full
  return response;
}
