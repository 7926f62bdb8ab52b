// The live part of the list, and buttons that copy. Everything else works without.
"use strict";

// Rows as they come. What they say was escaped where they were made, and the page runs no script in line.
const live = document.querySelector("[data-live]");
const rows = document.querySelector("[data-rows]");
if (live && rows) {
  const most = Number(rows.dataset.rows);
  const state = document.createElement("span");
  const pause = document.createElement("button");
  pause.type = "button";
  live.replaceChildren(state);
  live.after(pause);
  let source;

  const say = (word) => {
    state.textContent = word;
    state.className = "badge " + (word === "live" ? "good" : "open");
    pause.textContent = source ? "Pause" : "Watch";
  };

  const put = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const row = template.content.firstElementChild;
    const old = document.getElementById(row.id);
    if (old) {
      // Who reads or has the focus in it keeps its place.
      const focused = old.contains(document.activeElement);
      old.replaceWith(row);
      if (focused) row.querySelector("a").focus();
      return;
    }
    document.querySelector(".empty")?.remove();
    rows.prepend(row);
    while (rows.children.length > most) rows.lastElementChild.remove();
  };

  const watch = () => {
    source = new EventSource(live.dataset.live);
    source.onopen = () => say("live");
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) source = undefined;
      say(source ? "connecting" : "ended");
    };
    source.addEventListener("row", (event) => put(event.data));
    source.addEventListener("missed", (event) => say(event.data + " missed: reload"));
    say("connecting");
  };

  pause.addEventListener("click", () => {
    if (!source) return watch();
    source.close();
    source = undefined;
    say("paused");
  });
  watch();
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      // Not off loopback without TLS: it is selected, and the keyboard copies it.
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
