// The legend, which names what the picture shows and nothing else.

import { $ } from "./state.js";

const DOT = "a2 2 0 1 0 4 0a2 2 0 1 0 -4 0";
export const isInside = ([[left, right], [low, high]], [x, y]) => left <= x && x <= right && low <= y && y <= high;
// A name, a mark, and whether a scene and a run show it.
const ENTRIES = [
  ["gradient flow", '<path class="flow" d="M0 7H22"/>', (scene) => scene.resolved],
  ["gradient descent", `<path class="dots" d="M2 7${DOT}M9 7${DOT}M16 7${DOT}"/>`, (scene, run) => run && run.x.some((x) => isInside(scene.window, x))],
  ["where R is least: the flow’s limit", '<circle class="landing" cx="11" cy="7" r="5.5"/>', (scene) => isInside(scene.window, scene.landing)],
  ["the run’s exact limit", '<path class="run-limit" d="M6 2L16 12M6 12L16 2"/>', (scene, run) => run && run.limit && isInside(scene.window, run.limit)],
  ["start", '<g class="start"><circle cx="11" cy="7" r="5"/></g>', (scene) => isInside(scene.window, scene.start)],
  ["all weights that fit", '<path class="fits" d="M0 7H22"/>', () => true],
  ["level sets of R", '<path class="level" d="M2 13Q11 -7 20 13M6 13Q11 1 16 13"/>', () => true],
  ["least L1 norm", '<path class="l1" d="M11 2l5 5l-5 5l-5 -5z"/>', (scene) => scene.minimum_l1.some((x) => isInside(scene.window, x))],
  ["least L2 norm", '<rect class="l2" x="6.5" y="2.5" width="9" height="9"/>', (scene) => isInside(scene.window, scene.minimum_l2)],
];

export function build() {
  $("legend").innerHTML = ENTRIES.map(([name, mark]) => `<span><svg viewBox="0 0 22 14" aria-hidden="true">${mark}</svg>${name}</span>`).join("");
}

export function name(scene, run) {
  ENTRIES.forEach(([, , isShown], k) => { $("legend").children[k].hidden = !isShown(scene, run); });
}
