// A page that waits for something asks after it, and loads itself anew once it has changed. After ten minutes it rests.
"use strict";
(() => {
  const waiting = document.querySelector("[data-awaits]");
  if (!waiting) return;
  const until = Date.now() + 600_000;
  let first = null;
  const ask = async () => {
    try {
      const answer = await fetch(waiting.dataset.awaits, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const { status } = await answer.json();
        first ??= status;
        if (status !== first || (status !== "open" && status !== "processing")) return location.reload();
      }
    } catch { /* the next one may get through */ }
    if (Date.now() < until) setTimeout(ask, 2_000);
  };
  setTimeout(ask, 1_000);
})();
