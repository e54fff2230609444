// What "&eacute;" and its like stand for. Nothing here is HTML, so no parser of the browser does it.

const after = (code, names) => names.split(" ").map((name, index) => [name, String.fromCharCode(code + index)])

const LETTERS = new Map([
  ...after(160, "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute " +
    "micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil " +
    "Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute " +
    "Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute " +
    "icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml"),
  ...after(913, "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho"),
  ...after(931, "Sigma Tau Upsilon Phi Chi Psi Omega"),
  ...after(945, "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau " +
    "upsilon phi chi psi omega"),
  ...after(8592, "larr uarr rarr darr harr"),
  ...after(8656, "lArr uArr rArr dArr hArr"),
  ...Object.entries({
    amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", OElig: "Œ", oelig: "œ", Scaron: "Š", scaron: "š", Yuml: "Ÿ",
    fnof: "ƒ", circ: "ˆ", tilde: "˜", ensp: "\u2002", emsp: "\u2003", thinsp: "\u2009", zwnj: "\u200c", zwj: "\u200d",
    ndash: "–", mdash: "—", lsquo: "‘", rsquo: "’", sbquo: "‚", ldquo: "“", rdquo: "”", bdquo: "„", dagger: "†", Dagger: "‡",
    bull: "•", hellip: "…", permil: "‰", prime: "′", Prime: "″", lsaquo: "‹", rsaquo: "›", euro: "€", trade: "™",
    forall: "∀", part: "∂", exist: "∃", empty: "∅", nabla: "∇", isin: "∈", notin: "∉", ni: "∋", prod: "∏", sum: "∑",
    minus: "−", lowast: "∗", radic: "√", prop: "∝", infin: "∞", ang: "∠", and: "∧", or: "∨", cap: "∩", cup: "∪", int: "∫",
    there4: "∴", sim: "∼", cong: "≅", asymp: "≈", ne: "≠", equiv: "≡", le: "≤", ge: "≥", sub: "⊂", sup: "⊃", nsub: "⊄",
    sube: "⊆", supe: "⊇", oplus: "⊕", otimes: "⊗", perp: "⊥", sdot: "⋅", check: "✓", cross: "✗", star: "☆", starf: "★",
    lsqb: "[", rsqb: "]", lbrack: "[", rbrack: "]", lpar: "(", rpar: ")", ast: "*", lowbar: "_", grave: "`", vert: "|",
    verbar: "|", bsol: "\\", num: "#", dollar: "$", percnt: "%", excl: "!", colon: ":", Tab: "\t", NewLine: "\n",
  }),
])

const numbered = (digits, base) => {
  const code = parseInt(digits, base)
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : "\ufffd"
}

// "a &lt; b &#33;" -> "a < b !"
export const spelledOut = (text) =>
  text.includes("&")
    ? text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,8}));/gi, (whole, decimal, hex, name) =>
        decimal ? numbered(decimal, 10) : hex ? numbered(hex, 16) : LETTERS.get(name) ?? whole)
    : text
