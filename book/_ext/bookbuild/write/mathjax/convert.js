// Typesets formulas without a browser: MathJax 3.2.2, whose files lie next to this one
// (npm package `mathjax`, folder es5, unchanged).
const MathJaxParts = MathJax._;
const adaptor = MathJaxParts.adaptors.liteAdaptor.liteAdaptor();
MathJaxParts.handlers.html_ts.RegisterHTMLHandler(adaptor);
const mathml = new MathJaxParts.core.MmlTree.SerializedMmlVisitor.SerializedMmlVisitor();
let output, page;

/** Begin a page: its style sheet will hold only the characters that it uses. */
function begin() {
  // the style sheet keeps the place where the address of the fonts belongs
  const options = { fontURL: "%%URL%%", adaptiveCSS: true };
  const font = new MathJaxParts.output.chtml.fonts.tex_ts.TeXFont(options);
  const input = new MathJaxParts.input.tex_ts.TeX({
    packages: ["base", "ams", "newcommand", "boldsymbol", "cancel", "color", "mathtools"],
    formatError: (_, error) => {
      throw new Error(error.message);
    },
  });
  output = new MathJaxParts.output.chtml_ts.CHTML({ font, adaptiveCSS: true });
  page = MathJaxParts.mathjax.mathjax.document("", { InputJax: input, OutputJax: output });
  return true;
}

/** The formula as HTML for the eye, and as MathML for a screen reader. */
function convert(tex, display) {
  const options = { display, em: 16, ex: 8.5, containerWidth: 1280 };
  const container = adaptor.outerHTML(page.convert(tex, options));
  const tree = page.convert(tex, { ...options, end: MathJaxParts.core.MathItem.STATE.CONVERT });
  return [container, mathml.visitTree(tree).replace(/>\s+</g, "><")];
}

/** The style sheet for the formulas since `begin`. */
function styles() {
  return adaptor.textContent(output.styleSheet(page));
}
