"""The search of the site finds guides, names and claims."""

from urllib.parse import unquote

import pytest


class TestSearch:
    """It needs no server and no network."""

    def found(self, site, words):
        site.keyboard.press("Escape")
        site.keyboard.press("/")
        site.keyboard.type(words)
        return site.locator("#found a").evaluate_all("all => all.map(a => [a.textContent, a.getAttribute('href')])")

    @pytest.mark.parametrize(
        ("words", "first"),
        [
            ("critical_step", "Reference: ib.critical_step"),
            ("which solver", "Guide: Simulate training, Which solver"),
            ("powerpropagation schwarz", "Guide: Glossary, Methods"),
            ("mask-in-the-mirror/thm-3.1", "Ledger: mask-in-the-mirror/thm-3.1"),
            ("choose a solver", "Guide: Choose a solver"),
            ("momentum mini-batches", "Notebook: Where does my run end?, Momentum and mini-batches"),
            ("lemma a.2", "Errata: Mask in the Mirror: Implicit Sparsification"),
        ],
    )
    def test_it_finds_guides_names_and_claims(self, site, words, first):
        site.goto(f"{site.folder}/notebooks/l2_to_l1.html")
        found = self.found(site, words)
        assert first in [text for text, _ in found][:3]
        assert site.inner_text("#told").endswith(" found")
        link = next(link for text, link in found if text == first)
        place, _, anchor = link.removeprefix("../").partition("#")
        site.click(f'#found a[href="{link}"]')
        assert site.url == f"{site.folder}/{place}#{anchor}"
        site.locator(f'[id="{unquote(anchor)}"]').wait_for(state="attached")
        assert site.failures == []

    @pytest.mark.parametrize("words", ["limit", "momentum", "verdict", "mask"])
    def test_pages_that_explain_come_before_those_that_list(self, site, words):
        site.goto(f"{site.folder}/index.html")
        found = self.found(site, words)
        kinds = [text.partition(":")[0] for text, _ in found]
        assert set(kinds) <= {"Guide", "Reference", "Notebook", "Figure", "Errata", "Ledger"}
        explains = [kind in {"Guide", "Reference", "Notebook"} for kind in kinds]
        assert explains == sorted(explains, reverse=True)
        assert len(set(map(tuple, found))) == len({text for text, _ in found}) == len(found)

    def test_what_a_package_exports_again_is_found_once(self, site):
        site.goto(f"{site.folder}/index.html")
        named = [text for text, _ in self.found(site, "verdict") if text.endswith(".Verdict")]
        assert named == ["Reference: ib.Verdict"]

    def test_what_was_changed_is_no_figure(self, site):
        """The history of changes comes along with the start page, and would be found for every word."""
        site.goto(f"{site.folder}/index.html")
        assert not any("repository/CHANGELOG" in link for _, link in self.found(site, "changelog"))
        assert not any("CONTRIBUTING" in link for _, link in self.found(site, "order of things"))

    def test_arrows_walk_through_it_and_escape_ends_it(self, site):
        site.goto(f"{site.folder}/index.html")
        self.found(site, "limit")
        site.keyboard.press("ArrowDown")
        assert site.evaluate("document.activeElement.closest('#found') !== null")
        site.keyboard.press("ArrowUp")
        assert site.evaluate("document.activeElement.id") == "find"
        assert self.found(site, "no such words") == []
        assert site.inner_text("#told") == "0 found"
        assert site.inner_text("#found").startswith("Nothing found for")
        site.keyboard.press("Escape")
        assert site.locator("#found").is_hidden()

    @pytest.mark.parametrize("page", ["index", "gallery", "notebooks/ten_minutes"])
    def test_text_stands_out_in_the_dark(self, site, page):
        site.emulate_media(color_scheme="dark")
        site.goto(f"{site.folder}/{page}.html")
        look = (
            "({color, backgroundColor}) => [color, backgroundColor].map(c => c.match(/\\d+/g).slice(0, 3).map(Number))"
        )
        text, ground = site.evaluate(f"({look})(getComputedStyle(document.body))")
        assert min(text) - max(ground) > 180
        site.emulate_media(color_scheme="light")
