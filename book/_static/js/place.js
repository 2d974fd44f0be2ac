// Sections that are far from the screen have an estimated height until they are laid out. A browser
// that goes back to a page, or loads it again, would scroll to another place for that reason. So
// the place is kept as a distance from the heading above it, for as long as the tab is open.
const key = `place:${location.pathname}`;
const EDGE = 100; // pixels below the upper edge of the window, where the toolbar ends

const topOf = (element) => element.getBoundingClientRect().top;

/** The last of the elements that begins above the edge. */
function above(elements) {
  return [...elements].filter((element) => topOf(element) <= EDGE).at(-1);
}

function keep() {
  // Headings of that one section only: to ask where others are would lay them all out.
  const section = above(document.querySelectorAll(".bd-article > section > section"));
  const heading = section && above(section.querySelectorAll("section[id] > :is(h2, h3, h4), :scope > h2"));
  if (heading) {
    sessionStorage.setItem(key, JSON.stringify({ id: heading.parentElement.id, top: topOf(heading) }));
  } else {
    sessionStorage.removeItem(key);
  }
}

function restore() {
  const place = JSON.parse(sessionStorage.getItem(key) ?? "null");
  const heading = place && document.getElementById(place.id)?.querySelector("h2, h3, h4");
  if (heading) scrollBy({ top: topOf(heading) - place.top, behavior: "instant" });
}

addEventListener("pagehide", keep);
const [arrival] = performance.getEntriesByType("navigation");
if (arrival?.type === "reload" || arrival?.type === "back_forward") {
  // after the browser has done it its way; and again, when what is there now has been laid out
  addEventListener("load", () => {
    let times = 3;
    const again = () => {
      restore();
      if (--times) requestAnimationFrame(() => requestAnimationFrame(again));
    };
    setTimeout(again);
  });
}
