// The sliders of initial values, scale, decay, example and step.

import { $, page } from "./state.js";
import { short } from "./numbers.js";

const nearest = (list, value) => list.reduce((best, each, k) => (Math.abs(each - value) < Math.abs(list[best] - value) ? k : best), 0);
const nearestPower = (list, value) => nearest(list.map(Math.log), Math.log(value));

let moved = () => {};

function shown(id, value, position = value) {
  const input = $(id);
  if (document.activeElement !== input || Number(input.value) !== position) input.value = position;
  const text = short(value);
  if (input.getAttribute("aria-valuetext") === text) return;
  input.setAttribute("aria-valuetext", text);
  document.querySelector(`output[for="${id}"]`).textContent = text;
}

function rowOf([id, name, k]) {
  const row = document.createElement("div"), label = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
  row.className = "row";
  label.htmlFor = input.id = id;
  label.append(name.length > 6 ? name.slice(0, 5) + "…" : name, "₀ of x", "₁₂"[k]);
  Object.assign(input, { type: "range", min: -3, max: 3, step: 0.05 });
  input.setAttribute("aria-label", `${name} at the start, of weight ${k + 1}`);
  output.setAttribute("for", id);
  input.addEventListener("input", () => {
    page.set.init = { ...page.set.init, [name]: page.set.init[name].map((value, i) => (i === k ? Number(input.value) : value)) };
    moved();
  });
  row.append(label, input, output);
  return row;
}

// Show the setting in all sliders.
export function fields() {
  const { set, lists } = page, names = Object.keys(set.init);
  const ids = names.flatMap((name, j) => [0, 1].map((k) => [`init-${j}-${k}`, name, k]));
  if ($("init").dataset.names !== names.join(" ")) {
    $("init").dataset.names = names.join(" ");
    $("init").replaceChildren(...ids.map(rowOf));
  }
  for (const [id, name, k] of ids) shown(id, set.init[name][k]);
  shown("scale", set.scale, nearestPower(lists.scales, set.scale));
  shown("decay", set.decay, nearest(lists.decays, set.decay));
  shown("step", set.step, nearestPower(lists.steps, set.step));
  shown("z1", set.z[0]);
  shown("z2", set.z[1]);
  shown("y", set.y);
  $("decay").disabled = !set.regularizer.trim();
}

const takes = {
  scale: (v) => { page.set.scale = page.lists.scales[v]; }, decay: (v) => { page.set.decay = page.lists.decays[v]; }, step: (v) => { page.set.step = page.lists.steps[v]; },
  z1: (v) => { page.set.z = [v, page.set.z[1]]; }, z2: (v) => { page.set.z = [page.set.z[0], v]; }, y: (v) => { page.set.y = v; },
};

export function listen(whenMoved) {
  moved = whenMoved;
  for (const [id, list] of [["scale", "scales"], ["decay", "decays"], ["step", "steps"]]) $(id).max = page.lists[list].length - 1;
  for (const [id, take] of Object.entries(takes)) $(id).addEventListener("input", () => { take(Number($(id).value)); moved(); });
}
