// On paper the book is light, whatever the screen is.
const root = document.documentElement;
let theme;
addEventListener("beforeprint", () => {
  theme = root.dataset.theme;
  root.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  root.dataset.theme = theme;
});

// The fonts of formulas come with the first formula on the screen that needs them; a print-out needs
// them all, and does not wait. So they are fetched when there is nothing else to do.
function fetchFonts() {
  for (const font of document.fonts) {
    const [, name, part] = font.family.replaceAll('"', "").match(/^(MJX)(?:TEX|ZERO)-?(.*)$/) ?? [];
    if (!name) continue;
    const sizes = /^S\d$/.test(part) && document.querySelector("mjx-stretchy-v, mjx-stretchy-h");
    if (!part || sizes || document.querySelector(`.TEX-${part}`)) font.load();
  }
}
if (document.querySelector("mjx-container")) {
  addEventListener("load", () => (window.requestIdleCallback ?? setTimeout)(fetchFonts));
}
