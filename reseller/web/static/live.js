// The live tile: figures of this moment, pushed by the server. EventSource comes back by itself when a connection ends.

const tile = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");

if (tile) {
  const source = new EventSource(tile.dataset.live);
  source.addEventListener("now", (event) => {
    const now = JSON.parse(event.data);
    for (const place of tile.querySelectorAll("[data-live-value]")) place.textContent = now[place.dataset.liveValue];
    state.textContent = "live";
  });
  source.addEventListener("over", () => {
    source.close();
    state.textContent = "signed out";
  });
  source.addEventListener("error", () => {
    state.textContent = source.readyState === EventSource.CLOSED ? "not connected" : "connecting …";
  });
  addEventListener("pagehide", () => source.close());
}
