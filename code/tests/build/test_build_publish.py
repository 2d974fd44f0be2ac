"""What a built site says of its own address, in the repository and in a fork of it."""

import re
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from build_scratch import Book

from bookbuild.write.site import NAMESPACE, PDF, prefix, write_sitemap

FORK = {"GITHUB_REPOSITORY": "Ada/fork", "GITHUB_SERVER_URL": "https://github.com"}
SITE = "https://ada.github.io/fork/"
PLAIN = "---\nzerotohero: {data: [names]}\n---\n\n# One\n\nThe first sentence of the page.\n"


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book without cells, built as GitHub Actions builds it in a fork."""
    folder = tmp_path_factory.mktemp("fork")
    book = Book.create(
        folder, {"book/01-one.md": PLAIN, "book/02-two.md": "# Two\n\nAlso {{ pdf }}.\n"}
    )
    config = (folder / "_config.yml").read_text(encoding="utf-8")
    book.write("_config.yml", config + "\nhtml: {use_edit_page_button: true}\n")
    status, log = book.build("-W", "-n", "--keep-going", **FORK)
    assert status == 0, log
    return book


def locations(site: Path) -> list[str]:
    tree = ElementTree.parse(site / "sitemap.xml")
    return [str(place.text) for place in tree.iter(f"{{{NAMESPACE}}}loc")]


def test_every_page_names_its_address_in_the_fork(fork: Book) -> None:
    for name in ("book/index.html", "book/01-one.html"):
        page = fork.page(name)
        assert f'<link rel="canonical" href="{SITE}{name}"' in page
        assert f'<meta property="og:url" content="{SITE}{name}"' in page
        assert '<meta property="og:site_name" content="Neural Networks: Zero to Hero"' in page


def test_links_to_the_source_lead_to_the_fork(fork: Book) -> None:
    found = re.findall(
        r'href="(https://github\.com/[^"]*/edit/[^"]*)"', fork.page("book/01-one.html")
    )
    assert set(found) == {"https://github.com/Ada/fork/edit/main/book/01-one.md"}


def test_no_page_names_the_repository_that_was_forked(fork: Book) -> None:
    for path in fork.html.rglob("*.html"):
        assert "zero-to-hero-book" not in path.read_text(encoding="utf-8"), path


def test_a_page_can_offer_the_pdf(fork: Book) -> None:
    link = f'<a class="reference external" href="{SITE}{PDF}">one PDF</a>'
    assert f"Also {link}." in fork.page("book/02-two.html")


def test_the_description_is_the_page_s_first_text(fork: Book) -> None:
    assert '<meta name="description" content="The first sentence of the page." />' in fork.page(
        "book/01-one.html"
    )


def test_the_sitemap_lists_the_pages_and_nothing_else(fork: Book) -> None:
    pages = sorted(path.stem for path in (fork.folder / "book").glob("*.md"))
    assert locations(fork.html) == [f"{SITE}book/{name}.html" for name in pages]


def test_the_sitemap_is_sorted_and_escaped(tmp_path: Path) -> None:
    write_sitemap(tmp_path, "https://a.b/", ["z.html", "a b&c.html"])
    assert locations(tmp_path) == ["https://a.b/a%20b%26c.html", "https://a.b/z.html"]


@pytest.mark.parametrize(
    ("root", "path"),
    [("https://a.b/c/", "/c/"), ("https://a.b/c/d/", "/c/d/"), ("https://a.b/", "/")],
)
def test_the_path_of_a_site(root: str, path: str) -> None:
    assert prefix(root) == path


def test_a_link_that_leads_to_no_page_leads_on(fork: Book) -> None:
    soup = BeautifulSoup(fork.page("404.html"), "html.parser")
    assert soup.select_one("meta[name=robots]")["content"] == "noindex"  # type: ignore[index]
    # from whatever depth the reader asked, to what is there
    ours = ("/fork/", "https:", "#", "data:")
    found = [
        str(tag[name]) for name in ("href", "src", "action") for tag in soup.select(f"[{name}]")
    ]
    assert [address for address in found if not address.startswith(ours)] == []
    assert {"/fork/book/index.html", "/fork/book/01-one.html", "/fork/search.html"} <= set(found)
    for address in found:
        path = urlsplit(address).path
        if path.startswith("/fork/"):
            assert (fork.html / path.removeprefix("/fork/")).is_file(), address
    article = soup.select_one("article")
    assert article is not None
    assert article.select_one('a[href="/fork/book/index.html"]') is not None
    assert article.select_one('form[action="/fork/search.html"] input[name=q]') is not None


def test_an_address_that_is_none_ends_the_build(tmp_path: Path) -> None:
    status, log = Book.create(tmp_path).build(GITHUB_REPOSITORY="not a name")
    assert status != 0
    assert "GITHUB_REPOSITORY must be owner/name, not 'not a name'" in log
