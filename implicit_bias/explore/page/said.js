// What is wrong, beside the field that it is about, and what is being done.

import { $ } from "./state.js";

const FIELDS = ["formula", "regularizer", "picture"];
const wrong = Object.fromEntries(FIELDS.map((field) => [field, ""]));

export const isWrong = (field) => Boolean(wrong[field]);

// A sentence about a field, with regularizers that would do instead and what takes one of them.
export function say(field, sentence = "", alternatives = [], take = null) {
  wrong[field] = sentence;
  const place = $(`${field}-said`), main = document.querySelector("main").classList;
  if (place.textContent !== sentence) place.textContent = sentence;
  main.toggle("stale", Object.values(wrong).some(Boolean));
  main.toggle("other", Boolean(wrong.formula || wrong.regularizer));
  if (field === "picture") return;
  $(field).setAttribute("aria-invalid", String(Boolean(sentence)));
  if (field !== "regularizer") return;
  const offered = sentence ? [...alternatives, ""] : [];
  $("instead").replaceChildren(...offered.map((h) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = h || "none";
    button.setAttribute("aria-label", h ? `Take ${h} instead` : "Take no regularizer");
    button.addEventListener("click", () => take(h));
    return button;
  }));
}

// A sentence about one field, and none about the others.
export function sayAlone(found = { field: "", sentence: "", alternatives: [] }, take = null) {
  for (const field of FIELDS) say(field, field === found.field ? found.sentence : "", found.alternatives, take);
}

export const unanswered = (error) => say("picture", error instanceof TypeError ? "The explorer does not answer: is it still running?" : error.message);

// While another formula is derived, or its picture computed, the last picture is greyed: it belongs to none that is typed.
export function awaitPicture(isAwaited) {
  const main = document.querySelector("main").classList, was = main.contains("awaited");
  main.toggle("awaited", isAwaited);
  return was;
}

export function doing(sentence) {
  $("doing").textContent = sentence;
  awaitPicture(Boolean(sentence));
}
