// The start and the line, dragged in the picture or moved by the arrow keys.

import { $, page } from "./state.js";
import { short } from "./numbers.js";

const rounded = (value) => Number(value.toPrecision(4)) || 0;

// The two ends at which the line can be turned: where it leaves the window, and a little inside.
function lineEnds() {
  const { z: [z1, z2], y } = page.set, squared = z1 * z1 + z2 * z2, [[left, right], [low, high]] = page.scene.window;
  if (!squared) return null;
  const center = [(left + right) / 2, (low + high) / 2], half = (right - left) / 2, off = (y - z1 * center[0] - z2 * center[1]) / squared;
  const foot = [center[0] + off * z1, center[1] + off * z2], along = [-z2 / Math.sqrt(squared), z1 / Math.sqrt(squared)];
  let [from, to] = [-Infinity, Infinity];
  for (const k of [0, 1]) {
    const room = [(center[k] - half - foot[k]) / along[k], (center[k] + half - foot[k]) / along[k]].sort((a, b) => a - b);
    if (Math.abs(along[k]) > 1e-12) [from, to] = [Math.max(from, room[0]), Math.min(to, room[1])];
  }
  if (!(to > from)) return null;
  const at = (s) => [foot[0] + s * along[0], foot[1] + s * along[1]];
  return { cut: [at(from), at(to)], ends: [at(from + 0.07 * (to - from)), at(to - 0.07 * (to - from))] };
}

// The handles follow the finger at once, before Python has answered.
export function drawHandles() {
  const { plane: view, scene, set, drag } = page, found = lineEnds(), start = drag?.kind === "start" ? drag.at : scene.start;
  const place = (id, [x, y]) => $(id).setAttribute("transform", `translate(${view.x(x)} ${view.y(y)})`);
  place("hold-start", start);
  $("hold-start").setAttribute("aria-label", `Start at ${short(start[0])}, ${short(start[1])}: move it with the arrow keys`);
  $("hold-line").setAttribute("aria-label", `Line of all weights that fit, ${short(set.z[0])} x₁ + ${short(set.z[1])} x₂ = ${short(set.y)}: shift it with the arrow keys`);
  for (const id of ["hold-line", "hold-end0", "hold-end1"]) $(id).style.display = found ? "" : "none";
  if (!found) return;
  const [[ax, ay], [bx, by]] = found.cut;
  for (const child of $("hold-line").children) {
    for (const [name, value] of [["x1", view.x(ax)], ["y1", view.y(ay)], ["x2", view.x(bx)], ["y2", view.y(by)]]) child.setAttribute(name, value);
  }
  found.ends.forEach((end, k) => {
    place(`hold-end${k}`, end);
    $(`hold-end${k}`).setAttribute("aria-label", `End ${k + 1} of the line: turn it with the arrow keys`);
  });
}

function moveStart(at) {
  page.wanted = at;
  if (page.drag) page.drag.at = at;
}

function shiftLine(by) {
  const { set } = page;
  set.y = rounded(set.y + set.z[0] * by[0] + set.z[1] * by[1]);
}

// Turn the line about one of its points so that it passes another.
function turnLine(about, through) {
  const { set, scene } = page, length = Math.hypot(...set.z), along = [through[0] - about[0], through[1] - about[1]], reach = Math.hypot(...along);
  if (reach < 1e-9 * (scene.window[0][1] - scene.window[0][0])) return;
  const normal = [along[1] / reach, -along[0] / reach], sign = normal[0] * set.z[0] + normal[1] * set.z[1] < 0 ? -1 : 1;
  set.z = normal.map((value) => rounded(sign * length * value));
  set.y = rounded(set.z[0] * about[0] + set.z[1] * about[1]);
}

function hold(id, kind, k, moved, released) {
  const element = $(id);
  const at = (event) => {
    const box = $("plane").getBoundingClientRect();
    const [x, y] = page.plane.back(event.clientX - box.left, event.clientY - box.top);
    const [[left, right], [low, high]] = page.scene.window; // a finger may leave the picture, its handle does not
    return [Math.min(right, Math.max(left, x)), Math.min(high, Math.max(low, y))];
  };
  element.addEventListener("pointerdown", (event) => {
    if (!page.scene || event.button) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    page.drag = { kind, at: kind === "start" ? page.scene.start : at(event), about: kind === "end" ? lineEnds().ends[1 - k] : null };
  });
  element.addEventListener("pointermove", (event) => {
    const { drag } = page;
    if (!drag || drag.kind !== kind || !element.hasPointerCapture(event.pointerId)) return;
    const to = at(event);
    if (kind === "start") moveStart(to);
    if (kind === "line") { shiftLine([to[0] - drag.at[0], to[1] - drag.at[1]]); drag.at = to; }
    if (kind === "end") turnLine(drag.about, to);
    moved();
  });
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => {
    if (!page.drag) return;
    page.drag = null;
    released();
  });
  element.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key], { scene } = page;
    if (!way || !scene) return;
    event.preventDefault();
    const unit = ((scene.window[0][1] - scene.window[0][0]) / 200) * (event.shiftKey ? 10 : 1), by = way.map((value) => value * unit);
    if (kind === "start") { const from = page.wanted ?? scene.start; moveStart([from[0] + by[0], from[1] + by[1]]); }
    if (kind === "line") shiftLine(by);
    if (kind === "end") { const { ends } = lineEnds(); turnLine(ends[1 - k], [ends[k][0] + by[0], ends[k][1] + by[1]]); }
    moved();
  });
}

export function listen(moved, released) {
  hold("hold-start", "start", 0, moved, released);
  hold("hold-line", "line", 0, moved, released);
  hold("hold-end0", "end", 0, moved, released);
  hold("hold-end1", "end", 1, moved, released);
}
