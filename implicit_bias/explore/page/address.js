// The address of the page, which holds the whole setting.

import { page } from "./state.js";

const LARGEST = 1e12; // that Python takes

export function address() {
  const { set } = page, parts = new URLSearchParams({ g: set.formula, h: set.regularizer });
  for (const [name, pair] of Object.entries(set.init)) parts.set(`${name}0`, pair.join(","));
  for (const name of ["scale", "decay", "y", "step"]) parts.set(`.${name}`, set[name]);
  parts.set(".z", set.z.join(","));
  return "#" + parts;
}

// The setting in the address, or null if there is none. Whatever is no number there is left out.
export function addressed() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (!parts.has("g")) return null;
  const number = (text) => { const value = text === null || text.trim() === "" ? NaN : Number(text); return Math.abs(value) <= LARGEST ? value : null; };
  const pair = (text) => { const found = (text ?? "").split(",").map(number); return found.length === 2 && !found.includes(null) ? found : null; };
  const found = { ...page.set, formula: parts.get("g"), regularizer: parts.get("h") ?? "", init: {} };
  for (const [key, text] of parts) if (!key.startsWith(".") && key.length > 1 && key.endsWith("0") && pair(text)) found.init[key.slice(0, -1)] = pair(text);
  for (const name of ["scale", "decay", "y", "step"]) found[name] = number(parts.get(`.${name}`)) ?? found[name];
  if (!(found.scale > 0)) found.scale = 1;
  if (!(found.step > 0)) found.step = 0.05;
  if (!(found.decay >= 0)) found.decay = 0;
  found.z = pair(parts.get(".z")) ?? found.z;
  return found;
}
