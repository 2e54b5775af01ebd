// What the page shows, for all of its modules: what was set, what Python answered, and what is held.

export const $ = (id) => document.getElementById(id);
export const CURVES = ["potential", "mirror_map", "metric", "exponent"];
export const RESTING = 160; // milliseconds after which a finger counts as resting

export const page = {
  atlas: [], lists: {},
  // What the address holds; `init` is in units of `scale`, and `decay` stays while there is no regularizer.
  set: { formula: "", regularizer: "", init: {}, scale: 1, decay: 0, z: [1, 2], y: 2, step: 0.05 },
  scene: null, run: null, // what Python answered last
  moment: 1, // of the time range, on its logarithmic scale
  drag: null, // what is held: its kind and what held then
  wanted: null, // where the start was dragged to, until Python has moved it
  plane: null, // how numbers became pixels of the plane
};

export async function ask(question, data) {
  const response = await fetch(question, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) });
  const found = await response.json();
  if (!response.ok) throw new Error(found.error);
  return found;
}
