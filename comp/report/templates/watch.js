"use strict";
// Asks for the state of the training and puts in place what changed. Nothing is sent but the question.
(() => {
  const contact = document.getElementById("contact");
  const button = document.getElementById("pause");
  const every = Number(document.getElementById("main").dataset.milliseconds);
  const shown = new Map();
  let timer = 0;
  let paused = false;
  let lost = 0;

  const put = (parts) => {
    for (const [id, html] of Object.entries(parts)) {
      const place = document.getElementById(id);
      if (!place || shown.get(id) === html) continue;
      shown.set(id, html);
      const { scrollLeft, scrollTop } = place;
      place.innerHTML = html;
      place.scrollTo(scrollLeft, scrollTop);
    }
  };

  const look = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch("state", { cache: "no-store", signal: AbortSignal.timeout(10000 + every) });
      if (!answer.ok) throw new Error(String(answer.status));
      const state = await answer.json();
      if (paused) return;
      document.title = state.title;
      put(state.parts);
      contact.textContent = `As of ${state.time}.`;
      contact.className = "quiet";
      lost = 0;
    } catch {
      lost += 1;
      contact.textContent = "No contact: comp watch has ended, or the connection is gone. Start it again and open its new address.";
      contact.className = "doubt";
    }
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(look, every * Math.min(2 ** lost, 15));
  };

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(paused));
    clearTimeout(timer);
    if (!paused) look();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) look();
  });
  look();
})();
