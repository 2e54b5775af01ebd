// Pictures: one question at a time, the newest, and what is drawn of its answer.

import { $, CURVES, RESTING, ask, page } from "./state.js";
import { distance, short } from "./numbers.js";
import { areTwo, panel, plane, rings, points, trained, weights, curve } from "./drawing.js";
import { address } from "./address.js";
import { awaitPicture, say, isWrong, unanswered } from "./said.js";
import { fields } from "./sliders.js";
import { drawHandles } from "./handles.js";
import * as legend from "./legend.js";

let isBusy = false, isOutdated = false, resting = 0;

// The setting with the numbers that Python takes; its formulas may be others.
export const question = ({ formula, regularizer } = page.set) => {
  const { decay, init, scale, z, y, step } = page.set;
  return {
    formula, regularizer, z, y, step, decay: regularizer.trim() ? decay : 0,
    init: Object.fromEntries(Object.entries(init).map(([name, pair]) => [name, pair.map((value) => value * scale)])),
  };
};

// Ask for the picture of the setting; while an answer is under way, the last call is the one that counts.
export async function refresh() {
  page.run = null;
  $("pictures").dataset.state = "moving";
  clearTimeout(resting);
  isOutdated = true;
  if (isBusy || !page.set.formula) return;
  isBusy = true;
  while (isOutdated) {
    isOutdated = false;
    const start = page.wanted, { formula, regularizer } = page.set, began = performance.now();
    page.wanted = null;
    try {
      const found = await ask("picture", { ...question(), ...(page.drag ? { window: page.scene.window } : {}), ...(start ? { start } : {}) });
      if (formula !== page.set.formula || regularizer !== page.set.regularizer) continue;
      const isFirst = awaitPicture(false);
      say("picture", found.refused ? found.refused.sentence : "");
      if (found.refused) {
        if (page.scene && !page.drag) drawHandles(); // back to where the start is
        continue;
      }
      page.scene = found;
      if (start) {
        page.set.init = Object.fromEntries(Object.entries(found.init).map(([name, pair]) => [name, pair.map((value) => value / page.set.scale)]));
        fields();
      }
      draw();
      if (isFirst) tell();
      $("pictures").dataset.milliseconds = performance.now() - began; // from a change to its picture
    } catch (error) {
      unanswered(error);
    }
  }
  isBusy = false;
  resting = setTimeout(rest, RESTING);
}

export function moved() {
  fields();
  if (page.scene) drawHandles();
  refresh();
}

// Once the finger rests: the run with its limit, the address and the sentence.
async function rest() {
  if (page.drag) return;
  history.replaceState(null, "", address());
  if (isWrong("picture") || !page.scene) return;
  const from = JSON.stringify(question());
  tell();
  try {
    const found = await ask("run", { ...question(), time: Math.max(...page.scene.time) });
    if (from !== JSON.stringify(question()) || isBusy) return;
    page.run = found.refused ? null : found;
    $("script").textContent = found.script ?? "";
    $("pictures").dataset.state = "resting";
    const isOutside = found.limit && !legend.isInside(page.scene.window, found.limit);
    tell(found.refused ? found.refused.sentence : found.note + (isOutside ? " That limit lies outside the picture." : ""));
    legend.name(page.scene, page.run);
    draw(true);
  } catch (error) {
    unanswered(error);
  }
}

function tell(note = "") {
  const { scene } = page, [l1, l2, end] = [scene.minimum_l1[0], scene.minimum_l2, scene.landing];
  const way = [0, 1].map((k) => l1[k] - l2[k]), length = way[0] ** 2 + way[1] ** 2, there = `(${short(end[0])}, ${short(end[1])})`;
  const part = length > 1e-12 ? ((end[0] - l2[0]) * way[0] + (end[1] - l2[1]) * way[1]) / length : null;
  const where = part === null || part < -0.005 || part > 1.005 ? "" : `, ${Math.round(100 * part)} % of the way from the least L2 norm to the least L1 norm`;
  let flow = `The flow ends at ${there}${where}; it comes within ${distance(scene.gap)} of the point of the line where R is least, the circle.`;
  if (!scene.resolved) flow = `The flow from this start cannot be followed accurately in double precision, as rounding errors of its parameters would be seen, so it is not drawn. By theory it ends at the circle, ${there}${where}.`;
  else if (scene.gap > 1e-4 * (1 + Math.max(...end.map(Math.abs)))) flow = `The flow was followed to t = ${short(Math.max(...scene.time), 2)} and has not arrived: the circle, where it ends by theory, is still ${distance(scene.gap)} away.`;
  $("told").textContent = `${flow} ${note}`;
}

// ---- drawing -------------------------------------------------------------------------------------------------------

// What each element holds, so that only what has changed is made anew: texts take a browser longest.
const held = new Map();
function put(element, content) {
  if (held.get(element) === content) return;
  held.set(element, content);
  element.innerHTML = content;
}

const sizes = new Map();
export const sizeOf = (name) => sizes.get(name);
const isSeen = new Map(CURVES.map((name) => [name, true])); // a curve that nobody sees is drawn once the finger rests

export function build() {
  for (const name of [...CURVES, "weights"]) $(name).innerHTML = "<g></g><g></g>";
  $("plane").innerHTML =
    '<g id="layer-axes"></g><g id="layer-plane"></g>' +
    '<g class="grip line" id="hold-line" tabindex="0" role="button"><line class="reach"/><line class="fits"/></g>' +
    '<g id="layer-points"></g><g id="layer-trained"></g>' +
    [0, 1].map((k) => `<g class="grip end" id="hold-end${k}" tabindex="0" role="button"><circle class="reach" r="22"/><circle r="6"/></g>`).join("") +
    '<g class="start" id="hold-start" tabindex="0" role="button"><circle class="reach" r="24"/><circle r="7"/></g>';
  legend.build();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isSeen.set(target.id, isIntersecting);
    draw();
  });
  for (const name of CURVES) seen.observe($(name));
}

// Sizes are asked for when they change alone, as an answer makes the browser lay out the page at once.
export function resized() {
  for (const name of ["plane", "weights", ...CURVES]) {
    const size = [Math.max(120, $(name).clientWidth), Math.max(120, $(name).clientHeight)];
    sizes.set(name, size);
    $(name).setAttribute("viewBox", `0 0 ${size.join(" ")}`);
  }
  draw(true);
}

const axesAndContent = (name, contents) => contents.forEach((content, k) => put($(name).children[k], content));

const times = () => {
  const positive = page.scene.time.filter((t) => t > 0), last = Math.max(...positive, 1e-300);
  return [Math.max(Math.min(...positive.map((t) => t / 2), last / 10), last / 1e5), last];
};

function draw(all = false) {
  const { scene } = page;
  if (!scene || !sizes.size) return;
  page.plane = panel(...sizeOf("plane"), ...scene.window, { top: 24, square: true });
  put($("layer-axes"), plane(page.plane));
  put($("layer-plane"), rings(page.plane, scene));
  put($("layer-points"), points(page.plane, scene));
  for (const name of CURVES) if (all || isSeen.get(name)) axesAndContent(name, curve(name, ...sizeOf(name), scene));
  $("which").textContent = CURVES.some((name) => areTwo(scene, name)) ? "x₁ solid, x₂ dashed" : "";
  $("pictures").dataset.landing = scene.landing.join(" ");
  $("pictures").dataset.drawn = String(Number($("pictures").dataset.drawn ?? 0) + 1);
  drawTraining();
  drawHandles();
}

// The flow and the run up to the moment.
export function drawTraining() {
  const { scene, run, moment } = page, range = times(), [first, last] = range, at = moment >= 1 ? Infinity : first * (last / first) ** moment;
  put($("layer-trained"), trained(page.plane, scene, run, at));
  axesAndContent("weights", weights(...sizeOf("weights"), scene, run, range, Math.min(at, last)));
  $("clock").textContent = moment >= 1 ? "at the end" : `t = ${short(at)}`;
  $("moment").setAttribute("aria-valuetext", $("clock").textContent);
}
