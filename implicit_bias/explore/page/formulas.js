// Formulas, derived as they are typed.

import { $, RESTING, ask, page } from "./state.js";
import { address } from "./address.js";
import { awaitPicture, doing, sayAlone, unanswered } from "./said.js";
import { fields } from "./sliders.js";
import { question, refresh } from "./picture.js";

const TYPING = 300; // milliseconds after which a formula counts as typed
const AT_ONCE = 3; // derivations under way: those that are stuck leave room for the newest, and forty do not pile up

let typing = 0, asked = 0, underWay = 0, next = null;

function take(regularizer) {
  $("regularizer").value = regularizer;
  $("regularizer").focus();
  derive();
}

// What was said of the last formula does not hold for the one that is derived.
function waits() {
  sayAlone();
  $("restart").textContent = "";
  doing("Deriving …");
}

// Derive what stands in the fields. `begun` gives the numbers to begin with, else the ones that fit the formula.
export async function derive(begun = null) {
  clearTimeout(typing);
  const mine = ++asked, formula = $("formula").value, regularizer = $("regularizer").value;
  next = null;
  if (underWay >= AT_ONCE) {
    next = { begun };
    waits();
    return;
  }
  const asking = { formula, regularizer }, goesOn = !begun && formula !== page.set.formula && page.set.formula;
  const waiting = setTimeout(() => { if (mine === asked) waits(); }, RESTING);
  let found;
  underWay += 1;
  try {
    found = await ask("formulas", goesOn ? question(asking) : asking);
  } catch (error) {
    if (mine === asked) { sayAlone(); unanswered(error); }
    return;
  } finally {
    underWay -= 1;
    clearTimeout(waiting);
    if (mine === asked) doing("");
    if (next) derive(next.begun);
  }
  if (mine !== asked) return; // something else was typed meanwhile
  sayAlone(found.refused, take);
  $("restart").textContent = found.restart ?? "";
  if (found.refused) {
    $("remark").textContent = "";
    return;
  }
  const { set } = page, isNew = formula !== set.formula || regularizer !== set.regularizer;
  const fits = !found.restart && found.names.length === Object.keys(set.init).length && found.names.every((name) => name in set.init);
  const init = Object.fromEntries(found.names.map((name) => [name, fits ? set.init[name] : [found.start[name], found.start[name]]]));
  page.set = { ...set, init, ...(fits ? {} : { scale: 1 }), ...begun, formula, regularizer };
  awaitPicture(true);
  if (isNew) history.pushState(null, "", address());
  $("atlas").value = String(page.atlas.findIndex((entry) => entry.formula === formula && entry.regularizer === regularizer));
  $("formulas").replaceChildren(...found.formulas.map(([name, mathematics]) => {
    const row = document.createElement("div");
    row.innerHTML = `<dt></dt><dd class="formula" tabindex="0">${mathematics}</dd>`; // MathML that Python has checked
    row.firstChild.textContent = name;
    row.lastChild.setAttribute("aria-label", name);
    return row;
  }));
  $("remark").textContent = found.remark;
  fields();
  refresh();
}

export function listen() {
  for (const field of ["formula", "regularizer"]) {
    $(field).addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(derive, TYPING); });
    $(field).addEventListener("keydown", (event) => { if (event.key === "Enter") derive(); });
  }
  $("atlas").replaceChildren(new Option("a formula of your own", "-1"), ...page.atlas.map((entry, k) => new Option(`${entry.title}: ${entry.formula}`, String(k))));
  $("atlas").options[0].disabled = true;
  $("atlas").addEventListener("change", () => {
    const entry = page.atlas[Number($("atlas").value)];
    $("formula").value = entry.formula;
    $("regularizer").value = entry.regularizer;
    const init = Object.fromEntries(Object.entries(entry.init).map(([name, value]) => [name, [value, value]]));
    derive({ init, scale: entry.scale, decay: entry.decay });
  });
}
