// Figures of this moment, pushed by the server: <… data-live="ADDRESS"> around places <span data-live-value="NAME">, and one
// data-live-state anywhere that says how it stands. EventSource comes back by itself when a connection ends. A page that nobody
// looks at does not listen: browsers open only a few connections to one server, and every window of ours would take one.

const AGAIN_MILLISECONDS = 30_000; // after a refusal, which EventSource takes for good
const tile = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
let source = null;
let isOver = false;

function say(words) {
  if (state) state.textContent = words;
}

function show(now) {
  for (const place of document.querySelectorAll("[data-live-value]")) {
    const value = now[place.dataset.liveValue];
    if (value === undefined) continue;
    if (place.textContent !== value) place.textContent = value;
    const exact = now[`${place.dataset.liveValue}_exact`];
    if (exact !== undefined) place.title = exact;
  }
  say("live");
}

function listen() {
  if (source || isOver || document.hidden) return;
  source = new EventSource(tile.dataset.live);
  source.addEventListener("now", (event) => show(JSON.parse(event.data)));
  source.addEventListener("over", () => {
    isOver = true;
    stop("signed out");
  });
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return say("connecting …");
    stop("not connected");
    setTimeout(listen, AGAIN_MILLISECONDS);
  });
}

function stop(words) {
  source?.close();
  source = null;
  say(words);
}

if (tile) {
  listen();
  document.addEventListener("visibilitychange", () => (document.hidden ? stop("paused") : listen()));
  addEventListener("pagehide", () => stop("paused"));
  addEventListener("pageshow", listen);
}
