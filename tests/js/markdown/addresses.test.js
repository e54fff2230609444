// Bare addresses lead to the page that is meant, and what follows without a space stays text.

import assert from "node:assert/strict"
import { test } from "node:test"

import { drawn, flashesOf, marksOf } from "./drawn.js"

const addresses = {
  "https://ja.wikipedia.org/wiki/日本語 を見る": "https://ja.wikipedia.org/wiki/日本語",
  "https://es.wikipedia.org/wiki/España y más": "https://es.wikipedia.org/wiki/España",
  "https://日本語.jp/": "https://日本語.jp/",
  '{"url":"https://x","b":1}': "https://x",
  "https://ja.wikipedia.org/wiki/日本語を見てください。": "https://ja.wikipedia.org/wiki/日本語",
  "https://ja.wikipedia.org/wiki/となりのトトロを参照": "https://ja.wikipedia.org/wiki/となりのトトロ",
  "https://ja.wikipedia.org/wiki/お好み焼き": "https://ja.wikipedia.org/wiki/お好み焼き",
  "https://ja.wikipedia.org/wiki/東京_(曖昧さ回避) と": "https://ja.wikipedia.org/wiki/東京_(曖昧さ回避)",
  "https://ja.wikipedia.org/wiki/C言語、": "https://ja.wikipedia.org/wiki/C言語",
  "https://ja.wikipedia.org/wiki/スティーブ・ジョブズ#生涯。":
    "https://ja.wikipedia.org/wiki/スティーブ・ジョブズ#生涯",
  "詳細はhttps://example.com/a?b=1です。": "https://example.com/a?b=1",
  "https://example.com/index.html参照": "https://example.com/index.html",
  "https://example.comを見る": "https://example.com",
  "https://example.com/を見る": "https://example.com/",
  "https://example.com/foo。次の文。": "https://example.com/foo",
  "全角（https://example.com/baz）です。": "https://example.com/baz",
  "半角(https://example.com/bar)です。": "https://example.com/bar",
  "《一尺》http://t.cn/RUy3HJN《二》": "http://t.cn/RUy3HJN",
  "链接:https://www.google.com，": "https://www.google.com",
  "请访问https://zh.wikipedia.org/wiki/北京了解更多": "https://zh.wikipedia.org/wiki/北京",
  "https://example.com/search?q=日本語&lang=ja に": "https://example.com/search?q=日本語&lang=ja",
  "https://ko.wikipedia.org/wiki/서울을 보세요": "https://ko.wikipedia.org/wiki/서울",
  "https://example.com을 참고": "https://example.com",
  "https://ru.wikipedia.org/wiki/Москва там": "https://ru.wikipedia.org/wiki/Москва",
  "https://example.de/größe!": "https://example.de/größe",
  "{'a':'https://x.com/a','b':1}": "https://x.com/a",
  "https://en.wikipedia.org/wiki/Schrödinger's_cat is": "https://en.wikipedia.org/wiki/Schrödinger's_cat",
  '{\\"url\\":\\"https://x.com/a\\"}': "https://x.com/a",
  "**URL：https://x.com/a**です": "https://x.com/a",
  "“https://x.com/a”, he said": "https://x.com/a",
  "{https://x.com/a} and [b]c": "https://x.com/a",
  "サイトはwww.example.comです": "www.example.com",
  "see https://x.com/a_(b)_c, then": "https://x.com/a_(b)_c",
  "こちら→https://google.com": "https://google.com",
  "http://localhost:8000/日本/ です": "http://localhost:8000/日本/",
  "https://web.archive.org/web/2020/https://x.com/ ok": "https://web.archive.org/web/2020/https://x.com/",
}

for (const [text, address] of Object.entries(addresses)) {
  test(`bare addresses end where they are meant to: ${text}`, () => {
    const links = [...drawn(text).querySelectorAll("a")]
    assert.deepEqual(
      links.map((link) => link.textContent),
      [address],
    )
    const meant = address.startsWith("www.") ? `http://${address}` : address
    assert.equal(links[0].href, new URL(meant).href)
    const words = (marks) => marks.replace(/\([abicsm]{1,4}:|[()]/g, "")
    const end = words(marksOf(drawn(text)))
    for (const [, shown] of flashesOf(text)) assert.ok(end.startsWith(words(shown)), shown)
  })
}

test("bare addresses of two in a list are two", () => {
  const links = [...drawn("https://a.com/x,https://b.com/y").querySelectorAll("a")]
  assert.deepEqual(
    links.map((link) => link.textContent),
    ["https://a.com/x", "https://b.com/y"],
  )
})

test("bare addresses do not take part in emphasis", () => {
  assert.equal(marksOf(drawn("*a https://x.com/b*c d* e")), "(i:a)(ia:https://x.com/b*c)(i:d)e")
})
