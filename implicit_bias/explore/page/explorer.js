// The page's state, its fields and handles. Python computes every number; drawing.js draws them.

import { panel, plane, rings, points, trained, weights, curve } from "./drawing.js";

const TYPING = 300; // milliseconds after which a formula counts as typed
const RESTING = 160; // milliseconds after which a finger counts as resting
const PLAYED = 6000; // milliseconds that training plays
const LARGEST = 1e12; // that Python takes
const CURVES = ["potential", "mirror_map", "metric", "exponent"];
const $ = (id) => document.getElementById(id);

let atlas = [], lists = {};
// What the address holds; `init` is in units of `scale`.
let state = { formula: "", regularizer: "", init: {}, scale: 1, decay: 0, z: [1, 2], y: 2, step: 0.05 };
let scene = null, run = null; // what Python answered last
let moment = 1; // of the time range, on its logarithmic scale
let drag = null; // what is held: its kind and what held then
let views = {}; // how numbers became pixels

async function ask(question, data) {
  const response = await fetch(question, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) });
  const found = await response.json();
  if (!response.ok) throw new Error(found.error);
  return found;
}

// ---- what is wrong -------------------------------------------------------------------------------------------------

const wrong = { formula: "", regularizer: "", picture: "" };

function say(field, sentence = "", alternatives = []) {
  wrong[field] = sentence;
  const place = $(`${field}-said`);
  if (place.textContent !== sentence) place.textContent = sentence;
  const page = document.querySelector("main").classList;
  page.toggle("stale", Object.values(wrong).some(Boolean));
  page.toggle("other", Boolean(wrong.formula || wrong.regularizer));
  if (field === "picture") return;
  $(field).setAttribute("aria-invalid", String(Boolean(sentence)));
  if (field !== "regularizer") return;
  const offered = sentence ? [...alternatives, ""] : [];
  $("instead").replaceChildren(...offered.map((h) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = h || "none";
    button.setAttribute("aria-label", h ? `Take ${h} instead` : "Take no regularizer");
    button.addEventListener("click", () => { $("regularizer").value = h; $("regularizer").focus(); derive(); });
    return button;
  }));
}

const unanswered = (error) => say("picture", error instanceof TypeError ? "The explorer does not answer: is it still running?" : error.message);

// ---- formulas as they are typed ------------------------------------------------------------------------------------

let typing = 0, asked = 0;

// Derive what stands in the fields. `begun` gives the numbers to begin with, else the ones that fit the formula.
async function derive(begun = null) {
  clearTimeout(typing);
  const mine = ++asked, formula = $("formula").value, regularizer = $("regularizer").value;
  const waiting = setTimeout(() => { if (mine === asked) $("remark").textContent = "Deriving …"; }, RESTING);
  let found;
  try {
    found = await ask("formulas", { formula, regularizer });
  } catch (error) {
    if (mine === asked) unanswered(error);
    return;
  } finally {
    clearTimeout(waiting);
  }
  if (mine !== asked) return; // something else was typed meanwhile
  const isKnown = ({ field, sentence, alternatives }) => {
    for (const other of ["formula", "regularizer", "picture"]) say(other, other === field ? sentence : "", alternatives);
  };
  if (found.refused) {
    isKnown(found.refused);
    $("remark").textContent = "";
    return;
  }
  for (const field of ["formula", "regularizer", "picture"]) say(field);
  const fits = found.names.length === Object.keys(state.init).length && found.names.every((name) => name in state.init);
  const init = fits ? Object.fromEntries(found.names.map((name) => [name, state.init[name]])) : Object.fromEntries(found.names.map((name) => [name, [found.start[name], found.start[name]]]));
  const isNew = formula !== state.formula || regularizer !== state.regularizer;
  state = { ...state, init, ...(fits ? {} : { scale: 1 }), ...begun, formula, regularizer };
  if (!regularizer.trim()) state.decay = 0;
  if (isNew) history.pushState(null, "", address());
  $("atlas").value = String(atlas.findIndex((entry) => entry.formula === formula && entry.regularizer === regularizer));
  $("formulas").replaceChildren(...found.formulas.map(([name, mathematics]) => {
    const row = document.createElement("div");
    row.innerHTML = `<dt></dt><dd tabindex="0">${mathematics}</dd>`; // MathML that Python has checked
    row.firstChild.textContent = name;
    row.lastChild.setAttribute("aria-label", name);
    return row;
  }));
  $("remark").textContent = found.remark;
  fields();
  refresh();
}

for (const field of ["formula", "regularizer"]) {
  $(field).addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(derive, TYPING); });
  $(field).addEventListener("keydown", (event) => { if (event.key === "Enter") derive(); });
}

$("atlas").addEventListener("change", () => {
  const entry = atlas[Number($("atlas").value)];
  $("formula").value = entry.formula;
  $("regularizer").value = entry.regularizer;
  const init = Object.fromEntries(Object.entries(entry.init).map(([name, value]) => [name, [value, value]]));
  derive({ init, scale: entry.scale, decay: entry.decay });
});

// ---- one picture at a time, the newest -----------------------------------------------------------------------------

let isBusy = false, isOutdated = false, resting = 0, wanted = null;

const question = () => ({
  formula: state.formula, regularizer: state.regularizer, decay: state.decay, z: state.z, y: state.y, step: state.step,
  init: Object.fromEntries(Object.entries(state.init).map(([name, pair]) => [name, pair.map((value) => value * state.scale)])),
});

// Ask for the picture of the state; while an answer is under way, the last call is the one that counts.
async function refresh() {
  run = null;
  $("pictures").dataset.state = "moving";
  clearTimeout(resting);
  isOutdated = true;
  if (isBusy || !state.formula) return;
  isBusy = true;
  while (isOutdated) {
    isOutdated = false;
    const start = wanted, from = state, began = performance.now();
    wanted = null;
    try {
      const found = await ask("picture", { ...question(), ...(drag ? { window: scene.window } : {}), ...(start ? { start } : {}) });
      if (from.formula !== state.formula || from.regularizer !== state.regularizer) continue;
      say("picture", found.refused ? found.refused.sentence : "");
      if (found.refused) continue;
      scene = found;
      if (start) {
        state.init = Object.fromEntries(Object.entries(found.init).map(([name, pair]) => [name, pair.map((value) => value / state.scale)]));
        fields();
      }
      draw();
      $("pictures").dataset.milliseconds = performance.now() - began; // from a change to its picture
    } catch (error) {
      unanswered(error);
    }
  }
  isBusy = false;
  resting = setTimeout(rest, RESTING);
}

// Once the finger rests: the run with its limit, the address and the sentence.
async function rest() {
  if (drag) return;
  history.replaceState(null, "", address());
  if (wrong.picture || !scene) return;
  const from = JSON.stringify(question());
  tell();
  try {
    const found = await ask("run", { ...question(), time: Math.max(...scene.time) });
    if (from !== JSON.stringify(question()) || isBusy) return;
    run = found.refused ? null : found;
    $("script").textContent = found.script ?? "";
    $("pictures").dataset.state = "resting";
    tell(found.refused ? found.refused.sentence : found.note);
    draw();
  } catch (error) {
    unanswered(error);
  }
}

const short = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

function tell(note = "") {
  const [l1, l2, end] = [scene.minimum_l1[0], scene.minimum_l2, scene.landing];
  const way = [0, 1].map((k) => l1[k] - l2[k]), length = way[0] ** 2 + way[1] ** 2;
  const part = length > 1e-12 ? ((end[0] - l2[0]) * way[0] + (end[1] - l2[1]) * way[1]) / length : null;
  const where = part === null || part < -0.005 || part > 1.005 ? "" : `, ${Math.round(100 * part)} % of the way from the least L2 norm to the least L1 norm`;
  const far = scene.gap > 1e-4 * (1 + Math.max(...end.map(Math.abs)));
  const flow = far
    ? `The flow was followed to ${scene.gap.toExponential(0).replace("-", "−")} from where theory says that it lands, the circle, and no closer.`
    : `The flow ends at (${short(end[0])}, ${short(end[1])})${where}; it is within ${scene.gap.toExponential(0).replace("-", "−")} of the point of the line where R is least.`;
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

function build() {
  for (const name of [...CURVES, "weights"]) $(name).innerHTML = "<g></g><g></g>";
  $("plane").innerHTML =
    '<g id="layer-axes"></g><g id="layer-plane"></g>' +
    '<g class="grip line" id="hold-line" tabindex="0" role="button"><line class="reach"/><line class="fits"/></g>' +
    '<g id="layer-points"></g><g id="layer-trained"></g>' +
    [0, 1].map((k) => `<g class="grip end" id="hold-end${k}" tabindex="0" role="button"><circle class="reach" r="22"/><circle r="6"/></g>`).join("") +
    '<g class="start" id="hold-start" tabindex="0" role="button"><circle class="reach" r="24"/><circle r="7"/></g>';
}

const sizes = new Map();

// Sizes are asked for when they change alone, as an answer makes the browser lay out the page at once.
function resized() {
  for (const name of ["plane", "weights", ...CURVES]) {
    const size = [Math.max(60, $(name).clientWidth), Math.max(60, $(name).clientHeight)];
    sizes.set(name, size);
    $(name).setAttribute("viewBox", `0 0 ${size.join(" ")}`);
  }
  draw();
}

const axesAndContent = (name, contents) => contents.forEach((content, k) => put($(name).children[k], content));

const times = () => {
  const positive = scene.time.filter((t) => t > 0), last = Math.max(...positive, 1e-6);
  return [Math.max(Math.min(...positive, last / 10), last / 1e5), last];
};
const now = () => { const [first, last] = times(); return moment >= 1 ? Infinity : first * (last / first) ** moment; };

function draw() {
  if (!scene || !sizes.size) return;
  views.plane = panel(...sizes.get("plane"), ...scene.window, 24);
  put($("layer-axes"), plane(views.plane));
  put($("layer-plane"), rings(views.plane, scene));
  put($("layer-points"), points(views.plane, scene));
  for (const name of CURVES) axesAndContent(name, curve(name, ...sizes.get(name), scene));
  $("pictures").dataset.landing = scene.landing.join(" ");
  $("pictures").dataset.drawn = String(Number($("pictures").dataset.drawn ?? 0) + 1);
  drawTraining();
  drawHandles();
}

function drawTraining() {
  const range = times(), at = now();
  put($("layer-trained"), trained(views.plane, scene, run, at));
  axesAndContent("weights", weights(...sizes.get("weights"), scene, run, range, Math.min(at, range[1])));
  $("clock").textContent = moment >= 1 ? "at the end" : `t = ${short(at)}`;
  $("moment").setAttribute("aria-valuetext", $("clock").textContent);
}

// The two ends at which the line can be turned: where it leaves the window, and a little inside.
function lineEnds() {
  const [z1, z2] = state.z, squared = z1 * z1 + z2 * z2, [[left, right], [low, high]] = scene.window;
  if (!squared) return null;
  const center = [(left + right) / 2, (low + high) / 2], half = (right - left) / 2, off = (state.y - z1 * center[0] - z2 * center[1]) / squared;
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
function drawHandles() {
  const view = views.plane, found = lineEnds(), start = drag?.kind === "start" ? drag.at : scene.start;
  const place = (id, [x, y]) => $(id).setAttribute("transform", `translate(${view.x(x)} ${view.y(y)})`);
  place("hold-start", start);
  $("hold-start").setAttribute("aria-label", `Start at ${short(start[0])}, ${short(start[1])}: move it with the arrow keys`);
  $("hold-line").setAttribute("aria-label", `Line of all weights that fit, ${short(state.z[0])} x₁ + ${short(state.z[1])} x₂ = ${short(state.y)}: shift it with the arrow keys`);
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

// ---- dragging in the picture ---------------------------------------------------------------------------------------

const rounded = (value) => Number(value.toPrecision(4)) || 0;

function moveStart(at) {
  wanted = at;
  if (drag) drag.at = at;
}

function shiftLine(by) {
  state.y = rounded(state.y + state.z[0] * by[0] + state.z[1] * by[1]);
}

// Turn the line about one of its points so that it passes another.
function turnLine(about, through) {
  const length = Math.hypot(...state.z), along = [through[0] - about[0], through[1] - about[1]], reach = Math.hypot(...along);
  if (reach < 1e-9 * (scene.window[0][1] - scene.window[0][0])) return;
  const normal = [along[1] / reach, -along[0] / reach], sign = normal[0] * state.z[0] + normal[1] * state.z[1] < 0 ? -1 : 1;
  state.z = normal.map((value) => rounded(sign * length * value));
  state.y = rounded(state.z[0] * about[0] + state.z[1] * about[1]);
}

function hold(id, kind, k = 0) {
  const element = $(id);
  const at = (event) => {
    const box = $("plane").getBoundingClientRect(), view = views.plane;
    const [x, y] = view.back(event.clientX - box.left, event.clientY - box.top);
    const [[left, right], [low, high]] = scene.window; // a finger may leave the picture, its handle does not
    return [Math.min(right, Math.max(left, x)), Math.min(high, Math.max(low, y))];
  };
  element.addEventListener("pointerdown", (event) => {
    if (!scene || event.button) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    drag = { kind, at: kind === "start" ? scene.start : at(event), about: kind === "end" ? lineEnds().ends[1 - k] : null };
  });
  element.addEventListener("pointermove", (event) => {
    if (!drag || drag.kind !== kind || !element.hasPointerCapture(event.pointerId)) return;
    const to = at(event);
    if (kind === "start") moveStart(to);
    if (kind === "line") { shiftLine([to[0] - drag.at[0], to[1] - drag.at[1]]); drag.at = to; }
    if (kind === "end") turnLine(drag.about, to);
    moved();
  });
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => {
    if (!drag) return;
    drag = null;
    refresh(); // in a window that fits
  });
  element.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!way || !scene) return;
    event.preventDefault();
    const unit = ((scene.window[0][1] - scene.window[0][0]) / 200) * (event.shiftKey ? 10 : 1), by = way.map((value) => value * unit);
    if (kind === "start") { const from = wanted ?? scene.start; moveStart([from[0] + by[0], from[1] + by[1]]); }
    if (kind === "line") shiftLine(by);
    if (kind === "end") { const { ends } = lineEnds(); turnLine(ends[1 - k], [ends[k][0] + by[0], ends[k][1] + by[1]]); }
    moved();
  });
}

function moved() {
  fields();
  drawHandles();
  refresh();
}

// ---- sliders -------------------------------------------------------------------------------------------------------

const nearest = (list, value) => list.reduce((best, each, k) => (Math.abs(each - value) < Math.abs(list[best] - value) ? k : best), 0);
const nearestPower = (list, value) => nearest(list.map(Math.log), Math.log(value));

function shown(id, value, position = value) {
  const input = $(id);
  if (document.activeElement !== input || Number(input.value) !== position) input.value = position;
  const text = short(value);
  if (input.getAttribute("aria-valuetext") === text) return;
  input.setAttribute("aria-valuetext", text);
  document.querySelector(`output[for="${id}"]`).textContent = text;
}

function fields() {
  const ids = Object.keys(state.init).flatMap((name, j) => [0, 1].map((k) => [`init-${j}-${k}`, name, k]));
  if ($("init").dataset.names !== Object.keys(state.init).join(" ")) {
    $("init").dataset.names = Object.keys(state.init).join(" ");
    $("init").replaceChildren(...ids.map(([id, name, k]) => {
      const row = document.createElement("div"), label = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
      row.className = "row";
      label.htmlFor = input.id = id;
      label.append(name.length > 6 ? name.slice(0, 5) + "…" : name, "₀ of x", "₁₂"[k]);
      Object.assign(input, { type: "range", min: -3, max: 3, step: 0.05 });
      input.setAttribute("aria-label", `${name} at the start, of weight ${k + 1}`);
      output.setAttribute("for", id);
      input.addEventListener("input", () => { state.init = { ...state.init, [name]: state.init[name].map((value, i) => (i === k ? Number(input.value) : value)) }; moved(); });
      row.append(label, input, output);
      return row;
    }));
  }
  for (const [id, name, k] of ids) shown(id, state.init[name][k]);
  shown("scale", state.scale, nearestPower(lists.scales, state.scale));
  shown("decay", state.decay, nearest(lists.decays, state.decay));
  shown("step", state.step, nearestPower(lists.steps, state.step));
  shown("z1", state.z[0]);
  shown("z2", state.z[1]);
  shown("y", state.y);
  $("decay").disabled = !state.regularizer.trim();
}

const sliders = {
  scale: (v) => { state.scale = lists.scales[v]; }, decay: (v) => { state.decay = lists.decays[v]; }, step: (v) => { state.step = lists.steps[v]; },
  z1: (v) => { state.z = [v, state.z[1]]; }, z2: (v) => { state.z = [state.z[0], v]; }, y: (v) => { state.y = v; },
};

// ---- training, played ----------------------------------------------------------------------------------------------

let playing = 0;

function play() {
  cancelAnimationFrame(playing);
  if (playing) { playing = 0; $("play").textContent = "Play training"; return; }
  if (!scene) return;
  const from = moment >= 1 ? 0 : moment, began = performance.now();
  $("play").textContent = "Pause";
  const tick = (time) => {
    moment = Math.min(1, from + Math.max(0, time - began) / PLAYED);
    $("moment").value = moment;
    drawTraining();
    playing = moment < 1 ? requestAnimationFrame(tick) : 0;
    if (!playing) $("play").textContent = "Play training";
  };
  playing = requestAnimationFrame(tick);
}

// ---- the address ---------------------------------------------------------------------------------------------------

function address() {
  const parts = new URLSearchParams({ g: state.formula, h: state.regularizer });
  for (const [name, pair] of Object.entries(state.init)) parts.set(`${name}0`, pair.join(","));
  for (const name of ["scale", "decay", "y", "step"]) parts.set(`.${name}`, state[name]);
  parts.set(".z", state.z.join(","));
  return "#" + parts;
}

// The state in the address, or null if there is none. Whatever is no number there is left out.
function addressed() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (!parts.has("g")) return null;
  const number = (text) => { const value = text === null || text.trim() === "" ? NaN : Number(text); return Math.abs(value) <= LARGEST ? value : null; };
  const pair = (text) => { const found = (text ?? "").split(",").map(number); return found.length === 2 && !found.includes(null) ? found : null; };
  const found = { ...state, formula: parts.get("g"), regularizer: parts.get("h") ?? "", init: {} };
  for (const [key, text] of parts) if (!key.startsWith(".") && key.length > 1 && key.endsWith("0") && pair(text)) found.init[key.slice(0, -1)] = pair(text);
  for (const name of ["scale", "decay", "y", "step"]) found[name] = number(parts.get(`.${name}`)) ?? found[name];
  if (!(found.scale > 0)) found.scale = 1;
  if (!(found.step > 0)) found.step = 0.05;
  if (!(found.decay >= 0)) found.decay = 0;
  found.z = pair(parts.get(".z")) ?? found.z;
  return found;
}

function open() {
  const found = addressed();
  if (!found) { $("atlas").value = "0"; $("atlas").dispatchEvent(new Event("change")); return; }
  $("formula").value = found.formula;
  $("regularizer").value = found.regularizer;
  const { formula, regularizer, ...numbers } = found;
  state = { ...state, ...numbers, formula, regularizer };
  derive();
}

// ---- files ---------------------------------------------------------------------------------------------------------

const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-family", "font-size", "stroke-linejoin"];

// The plane as a file of its own, with the colours it has here.
function standalone() {
  const copy = $("plane").cloneNode(true), [width, height] = sizes.get("plane");
  const originals = [$("plane"), ...$("plane").querySelectorAll("*")], copies = [copy, ...copy.querySelectorAll("*")];
  originals.forEach((original, k) => { const style = getComputedStyle(original); for (const name of DRAWN) copies[k].setAttribute(name, style.getPropertyValue(name)); });
  for (const handle of copy.querySelectorAll(".end, .reach")) handle.remove();
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width, height, fill: getComputedStyle(document.body).backgroundColor })) paper.setAttribute(name, value);
  copy.prepend(paper);
  for (const [name, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height })) copy.setAttribute(name, value);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

$("svg").addEventListener("click", () => save(new Blob([standalone().text], { type: "image/svg+xml" }), "potential.svg"));
$("python").addEventListener("click", () => save(new Blob([$("script").textContent], { type: "text/x-python" }), "potential.py"));
$("png").addEventListener("click", () => {
  const { text, width, height } = standalone(), image = new Image(), canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 3 * width, height: 3 * height });
  image.onload = () => { canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height); canvas.toBlob((blob) => save(blob, "potential.png")); };
  image.src = "data:image/svg+xml," + encodeURIComponent(text);
});

// ---- the beginning -------------------------------------------------------------------------------------------------

const LEGEND = [
  ["flow", "gradient flow", '<path class="flow" d="M0 7H22"/>'], ["run", "gradient descent", '<path class="dots" d="M2 7a2 2 0 1 0 4 0a2 2 0 1 0 -4 0M9 7a2 2 0 1 0 4 0a2 2 0 1 0 -4 0M16 7a2 2 0 1 0 4 0a2 2 0 1 0 -4 0"/>'],
  ["landing", "where R is least: the flow’s limit", '<circle class="landing" cx="11" cy="7" r="5.5"/>'], ["run-limit", "the run’s exact limit", '<path class="run-limit" d="M6 2L16 12M6 12L16 2"/>'],
  ["start", "start", '<g class="start"><circle cx="11" cy="7" r="5"/></g>'], ["fits", "all weights that fit", '<path class="fits" d="M0 7H22"/>'],
  ["l1", "least L1 norm", '<path class="l1" d="M11 2l5 5l-5 5l-5 -5z"/>'], ["l2", "least L2 norm", '<rect class="l2" x="6.5" y="2.5" width="9" height="9"/>'],
];

async function begin() {
  ({ entries: atlas, ...lists } = await (await fetch("atlas")).json());
  $("legend").innerHTML = LEGEND.map(([, name, mark]) => `<span><svg viewBox="0 0 22 14" aria-hidden="true">${mark}</svg>${name}</span>`).join("");
  $("atlas").replaceChildren(new Option("a formula of your own", "-1"), ...atlas.map((entry, k) => new Option(`${entry.title}: ${entry.formula}`, String(k))));
  $("atlas").options[0].disabled = true;
  for (const [id, list] of [["scale", lists.scales], ["decay", lists.decays], ["step", lists.steps]]) $(id).max = list.length - 1;
  build();
  hold("hold-start", "start");
  hold("hold-line", "line");
  hold("hold-end0", "end", 0);
  hold("hold-end1", "end", 1);
  for (const [id, set] of Object.entries(sliders)) $(id).addEventListener("input", () => { set(Number($(id).value)); moved(); });
  $("play").addEventListener("click", play);
  $("moment").addEventListener("input", () => { if (playing) play(); moment = Number($("moment").value); if (scene) drawTraining(); });
  window.addEventListener("popstate", open);
  new ResizeObserver(resized).observe(document.querySelector("main"));
  open();
}

begin().catch(unanswered);
