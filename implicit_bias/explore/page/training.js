// Training, played.

import { $, page } from "./state.js";
import { drawTraining } from "./picture.js";

const PLAYED = 6000; // milliseconds that training plays

let playing = 0;

function play() {
  cancelAnimationFrame(playing);
  if (playing) { playing = 0; $("play").textContent = "Play training"; return; }
  if (!page.scene) return;
  const from = page.moment >= 1 ? 0 : page.moment, began = performance.now();
  $("play").textContent = "Pause";
  const tick = (time) => {
    page.moment = Math.min(1, from + Math.max(0, time - began) / PLAYED);
    $("moment").value = page.moment;
    drawTraining();
    playing = page.moment < 1 ? requestAnimationFrame(tick) : 0;
    if (!playing) $("play").textContent = "Play training";
  };
  playing = requestAnimationFrame(tick);
}

export function listen() {
  $("play").addEventListener("click", play);
  $("moment").addEventListener("input", () => { if (playing) play(); page.moment = Number($("moment").value); if (page.scene) drawTraining(); });
}
