// Draws the arrays that Python computed as the inside of SVG elements, in CSS pixels of the page. All text is numbers.

import { ticks, powersBetween } from "./numbers.js";

const MARGIN = { left: 46, right: 12, top: 10, bottom: 34 };
const TICK = 5, DIGIT = 7; // pixels

const texts = (up, height) => ticks(up, Math.max(3, Math.floor(height / 45)));

// Maps from numbers to pixels of a panel of some size: `across` and `up` are pairs of ends, low first. The left margin holds
// the longest text of the axis; a square keeps both axes equally long.
export function panel(width, height, across, up, { top = MARGIN.top, right = MARGIN.right, square = false } = {}) {
  const upwards = texts(up, height - top - MARGIN.bottom);
  const more = Math.max(0, Math.max(0, ...upwards.map(([, text]) => [...text].length)) * DIGIT + 12 - MARGIN.left);
  const inner = { left: MARGIN.left + more, right: width - right, top, bottom: height - MARGIN.bottom - (square ? more : 0) };
  const x = (value) => inner.left + ((value - across[0]) / (across[1] - across[0])) * (inner.right - inner.left);
  const y = (value) => inner.bottom - ((value - up[0]) / (up[1] - up[0])) * (inner.bottom - inner.top);
  const back = (px, py) => [
    across[0] + ((px - inner.left) / (inner.right - inner.left)) * (across[1] - across[0]),
    up[0] + ((inner.bottom - py) / (inner.bottom - inner.top)) * (up[1] - up[0]),
  ];
  return { width, height, inner, across, up, upwards, x, y, back };
}

const pixel = (value) => Math.round(value * 10) / 10;

// A line through points, interrupted where a number is missing.
export function line(view, xs, ys) {
  let text = "", pen = "M";
  for (let k = 0; k < xs.length; k++) {
    if (xs[k] === null || ys[k] === null) { pen = "M"; continue; }
    const px = view.x(xs[k]), py = view.y(ys[k]);
    if (Math.abs(px) > 1e5 || Math.abs(py) > 1e5) { pen = "M"; continue; }
    text += `${pen}${pixel(px)} ${pixel(py)}`;
    pen = "L";
  }
  return text;
}

export function frame(view, label = "", powers = false, label_up = "") {
  const { inner } = view, wide = Math.max(2, Math.floor((inner.right - inner.left) / 70));
  const across = powers ? powersBetween(view.across, wide) : ticks(view.across, wide);
  let text = `<path class="axis" d="M${inner.left} ${inner.top}V${inner.bottom}H${inner.right}"/>`;
  for (const [value, name] of across) {
    const px = pixel(view.x(value));
    text += `<path class="axis" d="M${px} ${inner.bottom}v${TICK}"/><text x="${px}" y="${inner.bottom + 17}" text-anchor="middle">${name}</text>`;
  }
  for (const [value, name] of view.upwards) {
    const py = pixel(view.y(value));
    text += `<path class="axis" d="M${inner.left} ${py}h${-TICK}"/><text x="${inner.left - 8}" y="${py + 4}" text-anchor="end">${name}</text>`;
  }
  text += `<text x="${inner.right}" y="${inner.bottom + 31}" text-anchor="end">${label}</text>`;
  return text + (label_up ? `<text x="4" y="${inner.top - 10}">${label_up}</text>` : "");
}

// Where a convex function on a grid crosses a level: left and right of its least value, as pixels.
function crossings(px, values, least, level) {
  const found = [];
  for (const side of [-1, 1]) {
    let near = least, far = side < 0 ? 0 : values.length - 1;
    if (!(values[near] < level && values[far] >= level)) continue; // also where a number is missing
    while (Math.abs(far - near) > 1) {
      const middle = (near + far) >> 1;
      if (values[middle] < level) near = middle; else far = middle;
    }
    found.push(px[near] + ((level - values[near]) / (values[far] - values[near])) * (px[far] - px[near]));
  }
  return found;
}

// Paths of the level sets of f₁(x₁) + f₂(x₂), both convex: closed curves about the least point, cut off at the border.
export function contours(view, [xs, ys], [first, second], levels) {
  const px = xs.map(view.x), py = ys.map(view.y), last = [px.length - 1, py.length - 1];
  const least = [first, second].map((values) => values.indexOf(Math.min(...values.filter((value) => value !== null))));
  const [cx, cy] = [px[least[0]], py[least[1]]];
  const isCutAt = (x, y) => [x - px[0], x - px[last[0]], y - py[0], y - py[last[1]]].some((room) => Math.abs(room) < 0.5);
  return levels.map((level) => {
    const found = []; // angle, pixels, and whether the border cuts here
    second.forEach((value, j) => {
      for (const x of crossings(px, first, least[0], level - value)) found.push([Math.atan2(py[j] - cy, x - cx), x, py[j], isCutAt(x, py[j])]);
    });
    first.forEach((value, i) => {
      for (const y of crossings(py, second, least[1], level - value)) found.push([Math.atan2(y - cy, px[i] - cx), px[i], y, isCutAt(px[i], y)]);
    });
    found.sort((one, other) => one[0] - other[0]);
    let text = "", before = found[found.length - 1];
    for (const point of found) {
      const isCut = before[3] && point[3];
      if (!text || isCut) text += `M${isCut || before === point ? "" : `${pixel(before[1])} ${pixel(before[2])}L`}${pixel(point[1])} ${pixel(point[2])}`;
      else text += `L${pixel(point[1])} ${pixel(point[2])}`;
      before = point;
    }
    return text;
  });
}

const clip = (view, id) => `<clipPath id="${id}"><rect x="${view.inner.left}" y="${view.inner.top}" width="${view.inner.right - view.inner.left}" height="${view.inner.bottom - view.inner.top}"/></clipPath>`;

// How many points of increasing times have been passed.
export const passed = (times, now) => {
  let k = 0;
  while (k < times.length && times[k] <= now) k++;
  return k;
};

// The axes of the plane.
export function plane(view) {
  const zero = `<path class="zero" d="M${view.x(0)} ${view.inner.top}V${view.inner.bottom}M${view.inner.left} ${view.y(0)}H${view.inner.right}"/>`;
  return `<defs>${clip(view, "inside")}</defs><g clip-path="url(#inside)">${zero}</g>${frame(view, "weight x₁", false, "weight x₂")}`;
}

// The level sets of R, among them the one where the flow ends.
export function rings(view, scene) {
  const top = scene.landing_level, paths = contours(view, scene.curves.x, scene.curves.potential, scene.levels);
  const classOf = (level) => (Math.abs(level - top) <= 1e-5 * top ? "reached" : "level");
  return `<g clip-path="url(#inside)">${paths.map((d, k) => (d ? `<path class="${classOf(scene.levels[k])}" d="${d}"/>` : "")).join("")}</g>`;
}

// Points of special meaning on the line.
export function points(view, scene) {
  const [one, two] = scene.minimum_l1, at = (p) => [pixel(view.x(p[0])), pixel(view.y(p[1]))];
  const [ax, ay] = at(one), [bx, by] = at(two), [sx, sy] = at(scene.minimum_l2), [lx, ly] = at(scene.landing);
  let text = `<g clip-path="url(#inside)">`;
  if (ax !== bx || ay !== by) text += `<path class="l1" stroke-width="4" d="M${ax} ${ay}L${bx} ${by}"/>`;
  text += [[ax, ay], [bx, by]].map(([x, y]) => `<path class="l1" d="M${x} ${y - 6}l6 6l-6 6l-6 -6z"/>`).join("");
  text += `<rect class="l2" x="${sx - 5}" y="${sy - 5}" width="10" height="10"/>`;
  return text + `<circle class="landing" cx="${lx}" cy="${ly}" r="8"/></g>`;
}

// The flow and the run up to a moment; the rest of the flow's path is thin.
export function trained(view, scene, run, now) {
  let text = `<g clip-path="url(#inside)">`;
  if (scene.resolved) {
    const xs = scene.path.map((p) => p[0]), ys = scene.path.map((p) => p[1]), k = Math.max(1, passed(scene.time, now));
    text += `<path class="flow ahead" d="${line(view, xs, ys)}"/><path class="flow" d="${line(view, xs.slice(0, k), ys.slice(0, k))}"/>`;
    text += `<circle class="head" r="4" cx="${pixel(view.x(xs[k - 1]))}" cy="${pixel(view.y(ys[k - 1]))}"/>`;
  }
  if (run) {
    const count = Math.min(run.x.length, Math.floor(now / run.step + 1e-9) + 1);
    let dots = "";
    for (let j = 0; j < count; j++) {
      const [x, y] = run.x[j], px = view.x(x), py = view.y(y);
      if (Math.abs(px) < 1e4 && Math.abs(py) < 1e4) dots += `M${pixel(px) - 2} ${pixel(py)}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0`;
    }
    text += `<path class="dots" d="${dots}"/>`;
    if (run.limit) {
      const x = pixel(view.x(run.limit[0])), y = pixel(view.y(run.limit[1]));
      text += `<path class="run-limit" d="M${x - 7} ${y - 7}L${x + 7} ${y + 7}M${x - 7} ${y + 7}L${x + 7} ${y - 7}"/>`;
    }
  }
  return `${text}</g>`;
}

const ends = (values) => {
  const finite = values.filter((v) => v !== null).sort((a, b) => a - b);
  if (!finite.length) return [0, 1];
  // Values that run away near the end of a domain are cut off.
  const sizes = finite.map(Math.abs).sort((a, b) => a - b), most = 12 * sizes[sizes.length >> 1];
  const low = Math.max(finite[0], -most), high = Math.min(finite[finite.length - 1], most), size = Math.max(Math.abs(low), Math.abs(high));
  if (!(high - low > 1e-6 * size)) return [(low + high) / 2 - (size / 2 || 1), (low + high) / 2 + (size / 2 || 1)];
  return [low - 0.04 * (high - low), high + 0.06 * (high - low)];
};

// Both weights against time: axes, and the flow, the run's steps, and where theory says that each ends.
export function weights(width, height, scene, run, range, now) {
  const log = (t) => Math.log10(Math.max(t, range[0]));
  const all = [...(scene.resolved ? scene.path.flat() : scene.start), ...scene.landing, ...(run && run.limit ? run.limit : [])], [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.06 * (high - low) || Math.abs(high) / 2 || 1;
  const view = panel(width, height, range.map(Math.log10), [low - room, high + room], { right: 24 });
  let text = `<g clip-path="url(#during)"><path class="zero" d="M${view.inner.left} ${view.y(0)}H${view.inner.right}"/>`;
  text += `<path class="axis" d="M${pixel(view.x(log(now)))} ${view.inner.top}V${view.inner.bottom}"/>`;
  for (const k of [0, 1]) {
    text += `<path class="landing limit-line" d="M${view.inner.left} ${pixel(view.y(scene.landing[k]))}H${view.inner.right}"/>`;
    if (run && run.limit) text += `<path class="run-limit limit-line" d="M${view.inner.left} ${pixel(view.y(run.limit[k]))}H${view.inner.right}"/>`;
    if (scene.resolved) {
      const shown = Math.max(1, passed(scene.time, now)), ts = scene.time.map(log), xs = scene.path.map((p) => p[k]);
      text += `<path class="flow ahead" d="${line(view, ts, xs)}"/><path class="flow" d="${line(view, ts.slice(0, shown), xs.slice(0, shown))}"/>`;
    }
    if (run) {
      let dots = "", last = -Infinity;
      for (let j = 0; j < run.x.length && j * run.step <= now * (1 + 1e-9); j++) {
        const px = view.x(log(j * run.step)), py = view.y(run.x[j][k]);
        if (px - last < 2.5 || Math.abs(py) > 1e4) continue; // dots that would hide each other
        last = px;
        dots += `M${pixel(px) - 2} ${pixel(py)}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0`;
      }
      text += `<path class="dots" d="${dots}"/>`;
    }
  }
  text += "</g>";
  // The names stand beside the ends, as far apart as they are high.
  const places = [0, 1].map((k) => view.y(scene.landing[k]) + 4), sign = places[0] < places[1] ? -1 : 1, more = Math.max(0, 14 - Math.abs(places[0] - places[1])) / 2;
  for (const k of [0, 1]) text += `<text x="${view.inner.right + 6}" y="${pixel(places[k] + (k ? -sign : sign) * more)}">x${"₁₂"[k]}</text>`;
  return [`<defs>${clip(view, "during")}</defs>${frame(view, "flow time t = step number × η", true)}`, text];
}

// Whether the weights have a curve each.
export const areTwo = (scene, name) => !scene.alike || (name === "exponent" && scene.side[0] !== scene.side[1]);

// A curve of one weight, or of both where they differ: its axes, and what is in them.
export function curve(name, width, height, scene) {
  const isExponent = name === "exponent", values = scene.curves[name];
  const across = (isExponent ? scene.curves.distance : scene.curves.x).map((row) => (isExponent ? row.map(Math.log10) : row));
  const all = values.flat(), highest = Math.max(...all.filter((v) => v !== null));
  const up = isExponent ? [0.9, highest < 2.2 ? 2.4 : 1.05 * Math.min(highest, 6)] : ends(all);
  const view = panel(width, height, [Math.min(...across.flat()), Math.max(...across.flat())], up);
  const id = `in-${name}`, differ = areTwo(scene, name);
  let text = `<g clip-path="url(#${id})">`;
  for (const height of isExponent ? [1, 2] : [0]) text += `<path class="zero" d="M${view.inner.left} ${view.y(height)}H${view.inner.right}"/>`;
  if (isExponent) for (const k of [1, 2]) text += `<text x="${view.inner.left + 5}" y="${pixel(view.y(k)) - 4}">L${k}</text>`;
  for (const k of differ || isExponent ? [0, 1] : [0]) text += `<path class="curve${k && differ ? " second" : ""}" d="${line(view, across[k], values[k])}"/>`;
  if (isExponent) {
    const where = [0, 1].map((k) => [Math.log10(scene.landing_distance[k] || 1e-300), scene.landing_exponent[k]]);
    for (const k of [0, 1]) {
      const [at, p] = where[k];
      if (p === null || at < view.across[0] || at > view.across[1]) continue;
      // The left one has its name on the left, where there is room, and the right one on the right.
      const px = pixel(view.x(at)), py = pixel(view.y(p)), isLeft = (at < where[1 - k][0] || (at === where[1 - k][0] && !k)) && px > view.inner.left + 40;
      text += `<circle class="landing" r="5" cx="${px}" cy="${py}"/><text x="${px + (isLeft ? -8 : 8)}" y="${py + (isLeft ? 15 : -7)}"${isLeft ? ' text-anchor="end"' : ""}>x${"₁₂"[k]}</text>`;
    }
  }
  text += "</g>";
  return [`<defs>${clip(view, id)}</defs>${frame(view, isExponent ? "distance s from argmin R" : "weight x", isExponent)}`, text];
}
