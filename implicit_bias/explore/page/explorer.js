// The page begins. Python computes every number; drawing.js draws them.

import { $, page } from "./state.js";
import { addressed } from "./address.js";
import { unanswered } from "./said.js";
import * as files from "./files.js";
import * as formulas from "./formulas.js";
import * as handles from "./handles.js";
import * as picture from "./picture.js";
import * as sliders from "./sliders.js";
import * as training from "./training.js";

function open() {
  const found = addressed();
  if (!found) { $("atlas").value = "0"; $("atlas").dispatchEvent(new Event("change")); return; }
  $("formula").value = found.formula;
  $("regularizer").value = found.regularizer;
  page.set = found;
  formulas.derive();
}

async function begin() {
  ({ entries: page.atlas, ...page.lists } = await (await fetch("atlas")).json());
  picture.build();
  handles.listen(picture.moved, picture.refresh);
  sliders.listen(picture.moved);
  for (const part of [formulas, training, files]) part.listen();
  window.addEventListener("popstate", open);
  new ResizeObserver(picture.resized).observe(document.querySelector("main"));
  open();
}

begin().catch(unanswered);
