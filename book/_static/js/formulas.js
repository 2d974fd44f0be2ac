// A formula that is wider than the screen scrolls. It gets a place in the tab order then, and only
// then, so that the keyboard can scroll it. (The theme does the same for code and tables.)
const observer = new ResizeObserver((entries) => {
  for (const { target: formula } of entries) {
    if (formula.scrollWidth > formula.clientWidth) {
      formula.tabIndex = 0;
    } else {
      formula.removeAttribute("tabindex");
    }
  }
});
for (const formula of document.querySelectorAll("mjx-container[display='true']")) {
  observer.observe(formula);
}
