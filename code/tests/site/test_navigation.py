"""Ways on from a chapter of the built book: neighbors, Binder, Colab, download; and its light."""

from pathlib import Path
from urllib.parse import unquote

import chapter_source
import pytest
from browser import ALL, Chromium
from bs4 import BeautifulSoup
from build_scratch import ROOT

from bookbuild.book.address import repository

HTML = ROOT / "_build" / "html"
CHAPTERS = [path.stem for path in chapter_source.CHAPTERS]
WITH_CODE = [*CHAPTERS, "errata"]


def parsed(name: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / "book" / f"{name}.html").read_text("utf-8"), "html.parser")


def links(soup: BeautifulSoup, selector: str) -> list[str]:
    return [str(link["href"]) for link in soup.select(selector)]


@pytest.mark.parametrize("name", CHAPTERS)
def test_previous_next_and_you_are_here(name: str) -> None:
    soup, at = parsed(name), CHAPTERS.index(name)
    (here,) = soup.select(".bd-docs-nav li.current.active > a.current")
    assert soup.h1 is not None
    title = soup.h1.get_text().removesuffix("#").replace("\xa0", " ").strip()
    assert here.get_text() == f"{at + 1}. {title}"
    before, after = (
        links(soup, ".prev-next-footer a.left-prev"),
        links(soup, ".prev-next-footer a.right-next"),
    )
    if at > 0:
        assert before == [f"{CHAPTERS[at - 1]}.html"]
    if at + 1 < len(CHAPTERS):
        assert after == [f"{CHAPTERS[at + 1]}.html"]
    for target in (*before, *after):
        assert (HTML / "book" / target).is_file()


@pytest.mark.parametrize("name", WITH_CODE)
def test_a_page_with_code_can_be_launched_and_downloaded(name: str) -> None:
    soup, here = parsed(name), repository(ROOT)
    owner = here.removeprefix("https://github.com/")
    assert links(soup, ".dropdown-launch-buttons .dropdown-menu a") == [
        f"https://mybinder.org/v2/gh/{owner}/notebooks?urlpath=lab/tree/{name}.ipynb",
        f"https://colab.research.google.com/github/{owner}/blob/notebooks/{name}.ipynb",
    ]
    (notebook,) = links(soup, ".btn-download-notebook-button")
    assert (HTML / "book" / Path(unquote(notebook))).resolve() == (
        HTML / "notebooks" / f"{name}.ipynb"
    )
    assert (HTML / "notebooks" / f"{name}.ipynb").is_file()


LIGHT = """() => [...document.querySelectorAll("figure img, .cell_output img")].map((image) => {
    let at = image, color;
    do color = getComputedStyle(at).backgroundColor;
    while (/, 0\\)$/.test(color) && (at = at.parentElement));
    return [image.getAttribute("src"), color];
})"""


@pytest.mark.parametrize("name", WITH_CODE)
def test_figures_stay_on_a_light_ground_in_the_dark(chromium: Chromium, name: str) -> None:
    """They are drawn in dark ink, whatever the theme."""
    with chromium.visit(HTML / "book" / f"{name}.html", theme="dark") as visit:
        visit.page.add_style_tag(content=ALL)
        found = visit.page.evaluate(LIGHT)
        assert found or name == "errata"
        for source, color in found:
            red, green, blue = (int(part) for part in color[4:-1].split(", "))
            assert min(red, green, blue) > 240, (source, color)
