// What is wider than its place and scrolls gets a place in the tab order then, and only then, so
// that the keyboard can scroll it. The theme does so for code and tables, by measuring the whole
// page at once, which takes a phone half a second; here each box is measured when it is laid out.
const BOXES = [
  "pre",
  ".cell_output > .output",
  ".pst-scrollable-table-container",
  "mjx-container[display='true']",
];

const observer = new ResizeObserver((entries) => {
  for (const { target: box } of entries) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) {
      box.tabIndex = 0;
    } else {
      box.removeAttribute("tabindex");
    }
  }
});

function measure() {
  for (const box of document.querySelectorAll(BOXES)) {
    observer.unobserve(box); // what is observed anew is measured anew
    observer.observe(box);
  }
}

measure();
// Formulas become wider or narrower when their fonts arrive; their boxes stay.
document.fonts.addEventListener("loadingdone", measure);
