// Formulas are drawn as formulas; money, shells' variables and other dollars are text.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of shells and scripts

import assert from "node:assert/strict"
import { test } from "node:test"

import { drawn, flashesOf, marksOf } from "./drawn.js"

drawn("$\\ce{x}$") // loads what is loaded on demand
await import("../../../static/vendor/katex.js")
await import("../../../static/vendor/mhchem.js")
await new Promise((resolve) => setTimeout(resolve))

const texts = [
  // money
  "価格は100$、次は200$です",
  "$5 a day, 10$ a week",
  "Please donate $50 to $100 to the organization.",
  "the $2k cohort and the $25-50k tier, $10k whales, $50k+",
  "**Cost $1788 yr @ $149 per month** or **$1.50** and **$4**",
  "US$5 and US$10, A$7–A$9, NT$200、HK$100",
  "$1,000 と 2,000$ の間、$5、$10",
  "100$か200$か、5$/月と10$/月",
  "$20/€18 or 20$",
  "between 5$-10$ and 5$~10$ (or 5$)",
  "$5は750円、10$は1500円",
  "一个是$5，另一个是10$。",
  "가격은 100$이고 다음은 200$입니다",
  "| 案 | 価格 |\n|--|--|\n| A | $5 |\n| B | 10$ |",
  // shells and programs
  "$HOME/bin:$PATH",
  "echo $HOME and $PATH, ${HOME}/bin:${PATH}",
  "$HOME、$PATHは環境変数です",
  "$USER@$HOST $A/$B_C $FOO_BAR/$BAZ",
  "$(pwd):$(date) and $(this).find($(x))",
  "$x=$y; $i++, $arr[$i], $a=1;$b=2",
  "$env:USERPROFILE\\bin;$env:PATH",
  "kill $$ と wait $$ です",
  "${a} と ${b}、${c}、${d}",
  "^foo$|^bar$ and ^\\d+$ と ^\\w+$",
  "$AAPL, $TSLA/$MSFT、$NVDAは",
]

for (const text of texts) {
  test(`money, variables and patterns are not formulas: ${text}`, () => {
    assert.equal(drawn(text).querySelector(".math"), null, marksOf(drawn(text)))
    assert.deepEqual(flashesOf(text), [])
  })
}

const formulas = {
  "ここで$x$は$a_1 + b$です": "ここで(m:∎)は(m:∎)です",
  "$E = mc^2$、$売上 = 単価 \\times 数量$": "(m:∎)、(m:∎)",
  "a 3$\\times$3 matrix at 90$^\\circ$, CO$_2$": "a3(m:∎)3matrixat90(m:∎),CO(m:∎)",
  "$n$th, $t$-SNE, $\\beta$s, $^{14}$C and $x_i$s": "(m:∎)th,(m:∎)-SNE,(m:∎)s,(m:∎)Cand(m:∎)s",
  "$5 = x + 1$ and $2 \\pi r$, then $10$": "(m:∎)and(m:∎),then(m:∎)",
  "$ x^2 $ and $ \\alpha $": "(m:∎)and(m:∎)",
  "$\\text{if $x$ is even}$ so": "(m:∎)so",
  "$`a_b * c`$ and **$x * y$**": "(m:∎)and(bm:∎)",
  "$a*b$と$c*d$": "(m:∎)と(m:∎)",
  "It costs $5, so $x^2 = 5$": "Itcosts$5,so(m:∎)",
  "$\\ce{2H2 + O2 -> 2H2O}$ と $\\pu{5 km//h}$": "(m:∎)と(m:∎)",
  "$\\ce{CH4 + 2 $\\left( \\ce{O2 + 79/21 N2} \\right)$}$ burns": "(m:∎)burns",
  "$$\\ce{CH4 + 2O2 ->[燃烧] CO2 + 2H2O}$$": "(m:∎)",
  "$$\nE=mc^2\n$$ where $m$ is": "(m:∎)where(m:∎)is",
  "so $$\nx\n+ y\n$$ holds": "so(m:∎)holds",
  "so $$\nx\n$$\nand $$\ny\n$$ holds": "so(m:∎)and(m:∎)holds",
  "$$\nx\n$$,": "(m:∎)",
  "\\(x\n+ y\\) is": "(m:∎)is",
  "Let \\(x\n- y\\) and\n\\(a\n= b\\) be": "Let(m:∎)and(m:∎)be",
  "ここで \\(x\n> 0\\) と\n# 見出し": "ここで(m:∎)と見出し",
  "- one \\(x\n  + y\\)\n- two": "one(m:∎)two",
  "Thus:\n\\[\nx\n= y\n\\]\nand": "Thus:(m:∎)and",
  "> $$\n> x\n> + y\n> $$\n> end": "(m:∎)end",
  "1. すると\n   $$\n   x = 1\n   $$\n2. 次": "すると(m:∎)次",
  "\\begin{equation}\nx\n= y\n\\end{equation}": "(m:∎)",
  "so\n\\begin{align*}\na &= b \\\\\n  &= c\n\\end{align*}\nholds": "so(m:∎)holds",
  "\\begin{cases} 1 & x > 0 \\\\ 0 \\end{cases}": "(m:∎)",
  "\\begin{pmatrix}\\begin{pmatrix}1\\end{pmatrix}\\end{pmatrix} と": "(m:∎)と",
  "$e^{i\\pi} + 1 = 0$ holds": "(m:∎)holds",
  "$f(x) = \\{ y \\mid y > 0 \\}$ です": "(m:∎)です",
}

for (const [text, end] of Object.entries(formulas)) {
  test(`formulas are drawn: ${text}`, () => {
    assert.equal(marksOf(drawn(text)), end)
    const { textContent } = drawn(text)
    assert.equal(drawn(text).querySelector(".math--failed"), null, textContent)
    for (const sizes of [[1], [3], [1, 7, 2]]) assert.deepEqual(flashesOf(text, sizes), [])
  })
}
