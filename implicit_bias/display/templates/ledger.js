(() => {
  const form = document.querySelector("form.filter");
  const claims = [...document.querySelectorAll("section > :is(details.claim, .listed)")].map((element) => ({
    element,
    verdict: element.dataset.verdict,
    paper: element.parentElement.id,
    text: element.textContent.toLowerCase(),
  }));
  const seen = () => claims.filter(({ element }) => !element.hidden);

  function choose() {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const paper = form.elements.paper?.value ?? "";
    const verdicts = [...form.querySelectorAll("input:checked")].map((box) => box.value);
    for (const { element, verdict, paper: own, text } of claims) {
      element.hidden = (paper !== "" && paper !== own) || (verdicts.length > 0 && !verdicts.includes(verdict))
        || !words.every((word) => text.includes(word));
    }
    for (const section of document.querySelectorAll("section")) {
      section.hidden = !section.querySelector(":is(details.claim, .listed):not([hidden])");
    }
    form.querySelector("output").textContent = `${seen().length} of ${claims.length} claims.`;
    label();
  }

  function label() {
    if (!form.elements.open) return;
    form.elements.open.textContent = seen().some(({ element }) => element.open) ? "Close them" : "Open them";
  }

  // A link to a claim shows it, whatever is chosen and folded.
  function reveal() {
    const target = document.querySelector(":target");
    if (!target) return;
    if (target.closest("[hidden]")) {
      form.reset();
      choose();
    }
    const claim = target.closest("details.claim");
    if (claim) {
      claim.open = true;
      claim.scrollIntoView();
    }
  }

  form.addEventListener("input", choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(choose));
  form.elements.open?.addEventListener("click", () => {
    const open = !seen().some(({ element }) => element.open);
    for (const { element } of seen()) element.open = open;
  });
  document.addEventListener("toggle", label, true);
  window.addEventListener("hashchange", reveal);
  form.hidden = false;
  choose();
  reveal();
})();
