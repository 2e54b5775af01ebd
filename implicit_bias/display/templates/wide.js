// What scrolls sideways is a stop on the keyboard's way, and what fits is none.
(() => {
  const boxes = "pre, .wide, .formula, .part, .graph, .attr, [style*='overflow-x:auto']";
  function reach() {
    const all = [...document.querySelectorAll(boxes)].filter((box) => !box.closest("summary"));
    const scroll = all.map((box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight);
    all.forEach((box, k) => { if (scroll[k]) box.tabIndex = 0; else box.removeAttribute("tabindex"); });
  }
  document.addEventListener("toggle", reach, true);
  addEventListener("resize", reach);
  addEventListener("load", reach);
  reach();
})();
