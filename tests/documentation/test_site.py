"""The site: the reference from docstrings, what pages link to, and how they look in a browser."""

import inspect
import posixpath
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import implicit_bias as ib
from derivations import papers
from experiments import registry
from implicit_bias.notebooks import NAMES
from tests import test_accessibility as accessibility
from tests.documentation.pages import TEXTS, blocks


@pytest.mark.parametrize("page", ["limit.html", "implicit_bias.html"])
def test_axe_finds_nothing_serious_on_a_guide_and_the_reference(built, page, browser):
    with browser.new_context(viewport={"width": 1000, "height": 900}) as context:
        tab = context.new_page()
        tab.goto((built.folder / page).as_uri())
        assert accessibility.findings(tab) == []


def test_the_reference_holds_every_public_name(built):
    """The reference lists all public names, although they load lazily and are listed in a stub."""
    page = built["implicit_bias.html"]
    public = dir(ib)
    assert {"Parameterization", "derive", "masking"} <= set(public)
    packages = [name for name in public if inspect.ismodule(getattr(ib, name))]
    assert [name for name in public if name not in packages and f'id="{name}"' not in page] == []
    assert all(f'href="implicit_bias/{name}.html' in page for name in packages)
    for package in ("masking", "training"):
        page = built[f"implicit_bias/{package}.html"]
        exported = getattr(ib, package).__all__
        assert [name for name in exported if f'id="{name}"' not in page and not name.isupper()] == []


def test_formulas_of_the_reference_are_mathml(built):
    for page, html in built.items():
        assert not re.search(r":math:|\.\. math|FORMULA\d|<code>[^<]*\\[a-z]", html), page
    assert built["implicit_bias.html"].count("<math") > 50


def test_the_pages_ask_nothing_of_the_internet(built):
    for page, html in built.items():
        without_links = re.sub(r"<a\s[^>]*>", "", html)
        assert not re.search(r"(?:src|href)=\"?https?:|url\(\s*[\"']?https?:|@import|fetch\(", without_links), page


def test_links_between_built_pages_lead_somewhere(built):
    """The folder can go to any server: nothing on its pages leads out of it, and everything is there."""
    for page, html in built.items():
        html = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)  # pdoc's has links of its own
        for path, anchor in re.findall(r'<(?:a|img) [^>]*(?:href|src)="([^"#:]*)(?:#([^"]+))?"', html):
            target = posixpath.normpath((Path(page).parent / unquote(path)).as_posix()) if path else page
            assert not target.startswith(("..", "/")), (page, path)
            assert (built.folder / target).is_file(), (page, path)
            # pdoc also links to private bases, which the reference leaves out.
            if target.endswith(".html") and anchor and not anchor.startswith("_"):
                text = built[target] if target in built else (built.folder / target).read_text("utf-8")
                assert f'id="{unquote(anchor)}"' in text, (page, path, anchor)


def test_what_the_report_and_the_ledger_link_to_comes_along(built):
    pages = [*built.folder.glob("repository/figures/*.html"), *built.folder.glob("repository/figures/ledger/*.html")]
    assert len(pages) > len(papers())
    for page in pages:
        text = page.read_text("utf-8")
        for path in re.findall(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"', text):
            assert (page.parent / unquote(path)).is_file(), (page.name, path)
        up = "../" * (len(page.relative_to(built.folder).parts) - 1)
        assert f'<a href="{up}index.html">← Guides, gallery and search</a>' in text  # and the way back


def test_the_gallery_shows_every_figure(built):
    page = built["gallery.html"]
    pictures = re.findall(r'<img[^>]* src="repository/figures/(\w+)/figure.png"[^>]* alt="([^"]+)"', page)
    assert [name for name, _ in pictures] == sorted(registry())
    assert all(len(text) > 60 for _, text in pictures)
    report = (built.folder / "repository" / "figures" / "index.html").read_text("utf-8")
    for name in registry():
        assert f'id="{name}"' in report
        assert f"<code>python -m experiments {name}</code>" in page


def test_notebooks_are_pages_with_their_pictures_and_answers(built):
    for notebook in NAMES:
        page = built[f"notebooks/{notebook}.html"]
        assert f'href="notebooks/{notebook}.html"' in built["guides.html"]
        assert "<summary>Answer</summary>" in page
        assert "<summary>Code of this picture</summary>" in page
        images = re.findall(r"<img [^>]*>", page)
        assert images
        assert all(re.search(r'alt="[^"]{8,}"', image) for image in images)
        prose = re.sub(r"<img [^>]*>|<(pre|code|math|style)\b.*?</\1>", "", page, flags=re.DOTALL)
        assert not re.search(r"FORMULA\d|\$[^<]*\$|\\\\frac", prose), notebook


@pytest.mark.parametrize("guide", ["runs", "solvers"])
def test_what_one_copies_from_a_guide_runs(site, guide, tmp_path):
    """Selecting a session takes neither the prompts nor the answers along."""
    site.goto(f"{site.folder}/{guide}.html")
    copied = site.locator("pre:has(.shown)").evaluate_all(
        "all => all.map(each => { getSelection().selectAllChildren(each); return getSelection().toString(); })"
    )
    assert len(copied) == len(blocks(f"docs/{guide}.md", "pycon"))
    code = "\n".join(copied)
    assert ">>>" not in code
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "ib.descent" in code


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_screen_without_a_hint(built, site, width):
    assert accessibility.too_wide(site, [built.folder / page for page in built], width) == {}
    site.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("page", ["errata", "implicit_bias", "notebooks/ten_minutes"])
def test_formulas_are_set_in_the_font_that_comes_along(site, page):
    site.goto(f"{site.folder}/{page}.html")
    site.evaluate("document.fonts.ready")
    assert site.evaluate("[...document.fonts].map(f => [f.family, f.status])") == [["Mathematics", "loaded"]]
    assert site.evaluate("getComputedStyle(document.querySelector('math')).fontFamily").startswith("Mathematics,")


def test_doctests_of_the_reference_are_as_they_were_written(built):
    text = re.sub(r"<[^>]+>", "", built["implicit_bias.html"])
    assert "2*sqrt(x**2 + (m0**2 - w0**2)**2*exp(-8*A)/4)" in text
    assert "\\*" not in text


def test_guides_and_reference_link_to_each_other(built):
    for page in TEXTS:
        if page.startswith("docs/") and not page.endswith("README.md"):
            assert f"{Path(page).stem}.html" in built
    assert 'href="derive.html"' in built["guides.html"]
    assert 'href="implicit_bias.html"' in built["guides.html"]
    assert 'href="guides.html"' in built["implicit_bias.html"]
    assert 'href="../guides.html"' in built["implicit_bias/masking.html"]


def test_the_site_begins_with_the_readme(built):
    start = built["index.html"]
    assert "Which way does training choose" in start
    assert 'src="repository/figures/digit/figure.png"' in start
    assert 'href="guides.html"' in start


def test_a_long_page_begins_with_links_to_its_sections(built):
    for page in ("limit.html", "errata.html", "notebooks/ten_minutes.html"):
        ids = re.findall(r'<h2 id="([^"]+)"', built[page])
        (links,) = re.findall(r'<nav class="sections"[^>]*>(.*?)</nav>', built[page])
        assert re.findall(r'href="#([^"]+)"', links) == ids
    for page in ("index.html", "gallery.html", "claims.html"):
        assert ('class="sections"' in built[page]) == (page == "claims.html"), page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_fields_ask_for_can_be_read(site, scheme):
    """And the grounds of signatures are one colour from edge to edge, where nothing is hidden."""
    site.emulate_media(color_scheme=scheme)
    for page, field in (("index", "#find"), ("implicit_bias", "nav [type=search]")):
        site.goto(f"{site.folder}/{page}.html")
        assert accessibility.contrast_of_placeholder(site, field) > 4.5, page
    look = "box => ['--under', '--accent'].map(name => getComputedStyle(box).getPropertyValue(name))"
    under, accent = site.locator(".attr").first.evaluate(look)
    assert under == accent
    site.emulate_media(color_scheme="light")


@pytest.mark.parametrize("page", ["implicit_bias/masking", "implicit_bias/claims/judge"])
def test_the_menu_of_the_reference_covers_no_title_on_a_phone(site, page):
    site.set_viewport_size({"width": 390, "height": 844})
    site.goto(f"{site.folder}/{page}.html")
    button = site.locator("#navtoggle").bounding_box()
    lines = site.locator("h1.modulename").evaluate("""(title) => {
        const range = document.createRange(); range.selectNodeContents(title);
        return [...range.getClientRects()].map((r) => [r.right, r.top, r.bottom]);
    }""")
    below = button["y"] + button["height"]
    assert all(right <= button["x"] or top >= below for right, top, _ in lines)
    site.set_viewport_size({"width": 1280, "height": 900})
