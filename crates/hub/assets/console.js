// Keeps the page live: the hub sends HTML fragments, each replaces the element of its name.
"use strict";

const link = document.getElementById("link");
let offset = Number(document.body.dataset.now) - Date.now(); // clock of the hub minus ours

function connected(live, text) {
  link.classList.toggle("lost", !live);
  link.querySelector("b").textContent = text;
}

// Scroll positions and keyboard focus survive a replacement.
function patch(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const scrolled = Array.from(place.querySelectorAll(".scroll"), (box) => box.scrollTop);
  const focused = place.contains(document.activeElement);
  place.innerHTML = html;
  const boxes = place.querySelectorAll(".scroll");
  boxes.forEach((box, i) => { box.scrollTop = scrolled[i] || 0; });
  if (focused && boxes[0]) boxes[0].focus({ preventScroll: true });
  tick();
}

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " m " + String(s % 60).padStart(2, "0") + " s";
  return Math.floor(s / 3600) + " h " + String(Math.floor(s / 60) % 60).padStart(2, "0") + " m";
}

function tick() {
  const now = Date.now() + offset;
  document.getElementById("clock").textContent = new Date(now).toISOString().slice(11, 19) + "Z";
  for (const at of document.querySelectorAll("[data-ends]")) {
    const left = Number(at.dataset.ends) - now;
    at.textContent = left > 0 ? span(left) : "ended";
    at.closest("tr").classList.toggle("ended", left <= 0);
  }
  for (const at of document.querySelectorAll("[data-since]")) {
    const age = now - Number(at.dataset.since);
    at.textContent = span(age) + " ago";
    at.closest("tr").classList.toggle("stale", age > 30000);
  }
}

// EventSource connects again by itself; the hub then sends every fragment once more.
const source = new EventSource("/live");
source.onopen = () => connected(true, "live");
source.onerror = () => connected(false, source.readyState === EventSource.CLOSED
  ? "closed: reload with a new link" : "connection lost, retrying");
source.addEventListener("now", (event) => { offset = Number(event.data) - Date.now(); });
for (const id of ["summary", "timing", "shields", "signals", "leases", "refused"]) {
  source.addEventListener(id, (event) => patch(id, event.data));
}
tick();
setInterval(tick, 1000);
