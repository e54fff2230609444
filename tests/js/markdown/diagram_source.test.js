// What is made of a diagram that Mermaid refuses: its labels in quotes, or a sentence about the error.

import assert from "node:assert/strict"
import { test } from "node:test"

import { quoteLabels } from "../../../static/chat/js/markdown/diagram_labels.js"
import { problemOf } from "../../../static/chat/js/markdown/diagram_problem.js"

const QUOTED = {
  "A[foo (bar)]": 'A["foo (bar)"]',
  "A[foo (bar)] --> B{x > (0)?}": 'A["foo (bar)"] --> B{"x > (0)?"}',
  "A(foo (bar)) --> C((a (b)))": 'A("foo (bar)") --> C(("a (b)"))',
  "A[(db (main))] --> B([st [x]]) --- C{{hex (y)}}": 'A[("db (main)")] --> B(["st [x]"]) --- C{{"hex (y)"}}',
  "A -->|yes (ok)| B": 'A -->|"yes (ok)"| B',
  'A[say "hi"] ==> B': 'A["say #quot;hi#quot;"] ==> B',
  "東京[東京（首都）(人口)] --> B": '東京["東京（首都）(人口)"] --> B',
  "A[https://x.y/(z)]:::big": 'A["https://x.y/(z)"]:::big',
  "subgraph Foo (bar)": 'subgraph "Foo (bar)"',
  "subgraph one [Foo (bar)]": 'subgraph one ["Foo (bar)"]',
  "A[f(x)] & B[g(y)] -.-> C": 'A["f(x)"] & B["g(y)"] -.-> C',
}
for (const [line, expected] of Object.entries(QUOTED)) {
  test(`diagram labels are quoted: ${line}`, () => {
    assert.equal(quoteLabels(`flowchart LR\n  ${line}`), `flowchart LR\n  ${expected}`)
  })
}

for (const source of [
  'flowchart LR\n  A["foo (bar)"] --> B[plain]\n  style A fill:#f9f\n  %% A[foo (bar)]',
  "flowchart LR\n  A[never (closed --> B",
  "sequenceDiagram\n  A->>B: foo[bar (x)]",
  "classDiagram\n  class A[foo (bar)]",
]) {
  test(`diagram labels stay: ${JSON.stringify(source)}`, () => assert.equal(quoteLabels(source), source))
}

const SENTENCES = [
  [
    { message: "Parse error on line 2:\n...A -> B\n---^\nExpecting 'LINK', got 'MINUS'", token: "-" },
    "flowchart LR\n  A -> B",
    "This diagram cannot be drawn. The error is in line 2 at “-”: A -> B",
  ],
  [
    { message: "Parse error on line 2:\n…, got 'NEWLINE'", token: "\n" },
    "%% a comment\n\nsequenceDiagram\n%% another\n  Alice->Bob",
    "This diagram cannot be drawn. The error is in line 5: Alice->Bob",
  ],
  [
    { message: "Parsing failed: Lexer error on line 2, column 9: unexpected character: ->x<- at offset: 12" },
    'pie\n  "a" : x',
    'This diagram cannot be drawn. The error is in line 2 at “x”: "a" : x',
  ],
  [
    { message: "Parsing failed:  Parse error on line 2, column 3: Expecting token of type 'EOF' but found `comit`." },
    "gitGraph\n  comit",
    "This diagram cannot be drawn. The error is in line 2 at “comit”: comit",
  ],
  [
    { message: "No diagram type detected matching given configuration for text: flowchat" },
    "\nflowchat LR\n A-->B",
    "This diagram cannot be drawn: “flowchat LR” is not a known type of diagram.",
  ],
  [{ message: "Cannot read properties\nat x" }, "gantt", "This diagram cannot be drawn: Cannot read properties"],
  [{ message: "Parse error on line 99:" }, "pie", "This diagram cannot be drawn. The error is in line 1: pie"],
]
for (const [error, source, sentence] of SENTENCES) {
  test(`diagram error says: ${sentence}`, () => assert.equal(problemOf(error, source), sentence))
}
