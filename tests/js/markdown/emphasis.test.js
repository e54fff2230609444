// Emphasis beside Chinese, Japanese and Korean, which put no spaces between words; and only ~~ strikes.

import assert from "node:assert/strict"
import { test } from "node:test"

import { drawn, flashesOf, marksOf } from "./drawn.js"

const emphasis = {
  // Japanese
  "**注意：**これは**重要**です。": "(b:注意：)これは(b:重要)です。",
  "**東京（首都）**は**大都市**で": "(b:東京（首都）)は(b:大都市)で",
  "**Note:**これは**重要**です": "(b:Note:)これは(b:重要)です",
  "**`a`**は**`b`**で": "(bc:a)は(bc:b)で",
  "*「東京」*は*「都」*です": "(i:「東京」)は(i:「都」)です",
  "~~「旧」~~と~~（古）~~は": "(s:「旧」)と(s:（古）)は",
  "***「東京」***と***「大阪」***です": "(ib:「東京」)と(ib:「大阪」)です",
  "**「A」**なので**「B」**": "(b:「A」)なので(b:「B」)",
  "これは**「強調」**です。**終わり。**次の**文**": "これは(b:「強調」)です。(b:終わり。)次の(b:文)",
  "**100%**が**50℃**で**C++**を": "(b:100%)が(b:50℃)で(b:C++)を",
  "関数**`foo()`**は**`bar()`**を**(必ず)**呼ぶ": "関数(bc:foo())は(bc:bar())を(b:(必ず))呼ぶ",
  "これはAPI**(v2)**です": "これはAPI(b:(v2))です",
  "句点は**。**で、読点は**、**です": "句点は(b:。)で、読点は(b:、)です",
  "**太字の中の*斜体（小）*と**文": "(b:太字の中の)(bi:斜体（小）)(b:と)文",
  "**手順１：**まず**「設定」→「一般」**を開き、**［保存］**を押す":
    "(b:手順１：)まず(b:「設定」→「一般」)を開き、(b:［保存］)を押す",
  "**[公式](https://example.com/)**は**重要**": "(ba:公式)は(b:重要)",
  "**😀**は**絵文字⭐**です": "(b:😀)は(b:絵文字⭐)です",
  "**～する**と**…である**": "(b:～する)と(b:…である)",
  "引用（**「これ」**）と**（それ）**。": "引用（(b:「これ」)）と(b:（それ）)。",
  "**『こころ』（1914年）**は**夏目漱石**の**代表作**。": "(b:『こころ』（1914年）)は(b:夏目漱石)の(b:代表作)。",
  // Chinese
  "**注意：**这是**重要**的。": "(b:注意：)这是(b:重要)的。",
  "**中文文本（带括号）。**这句子继续**也没问题**。": "(b:中文文本（带括号）。)这句子继续(b:也没问题)。",
  "他说**“你好”**，然后**《红楼梦》**是": "他说(b:“你好”)，然后(b:《红楼梦》)是",
  "~~删除的文字（带括号）。~~这个句子": "(s:删除的文字（带括号）。)这个句子",
  "**增长率达50%**的**GDP（国内生产总值）**为": "(b:增长率达50%)的(b:GDP（国内生产总值）)为",
  "**真—**她**真…**她**真·**她": "(b:真—)她(b:真…)她(b:真·)她",
  "**注音ㄅㄆ，**然後**ㄇ（音）**是": "(b:注音ㄅㄆ，)然後(b:ㄇ（音）)是",
  // Korean
  "**서울(수도)**은 **대도시**이고 **'중심'**이다": "(b:서울(수도))은(b:대도시)이고(b:'중심')이다",
  '**"강조"**는 *"기울임"*과 다르다': '(b:"강조")는(i:"기울임")과다르다',
  "**주의:**이것은 **`코드`**를 **중요**하게": "(b:주의:)이것은(bc:코드)를(b:중요)하게",
  // Not emphasis
  "関数f(**kwargs)はg(**opts)を呼ぶ": "関数f(**kwargs)はg(**opts)を呼ぶ",
  "2 ** 3 ** 4は2の累乗": "2**3**4は2の累乗",
  "注：**は記号です。「**重要**」だけ太字": "注：**は記号です。「(b:重要)」だけ太字",
  変数my_var_nameと__init__を: "変数my_var_nameと__init__を",
  "これは`**「x」**`と`*a*`です": "これは(c:**「x」**)と(c:*a*)です",
  "エスケープ\\*\\*「x」\\*\\*です": "エスケープ**「x」**です",
}

const struck = {
  "約10~20分、30~40分": "約10~20分、30~40分",
  "A~C班、D~F班": "A~C班、D~F班",
  "age(1~3), height(80~100)": "age(1~3),height(80~100)",
  "5~7U 保证金 × 100~200倍杠杆": "5~7U保证金×100~200倍杠杆",
  "喵呜~♡这就为您呈上呦~": "喵呜~♡这就为您呈上呦~",
  "~/Documents and ~/.bashrc, about ~5 to ~10": "~/Documentsand~/.bashrc,about~5to~10",
  "~single~ and ~~double~~": "~single~and(s:double)",
  "Between (~1.34) and (~5.4)": "Between(~1.34)and(~5.4)",
  "9:00~10:00、~~10:00~11:00~~、13:00~": "9:00~10:00、(s:10:00~11:00)、13:00~",
  "오전 9~11시, 오후 1~3시": "오전9~11시,오후1~3시",
  "| 期間 | 値 |\n|--|--|\n| 1~2月 | 3~4 |": "期間値1~2月3~4",
  "~~**旧価格**~~は~~`old()`~~です": "(sb:旧価格)は(sc:old())です",
  "a~~~b~~~c": "a~~~b~~~c",
}

// English is read as CommonMark says.
const english = {
  '**"Bold"** word, a **bold:** one, un**believ**able': '(b:"Bold")word,a(b:bold:)one,un(b:believ)able',
  'a**"not bold"**b': 'a**"notbold"**b',
  "**foo*bar** and *foo**bar*": "(b:foo*bar)and(i:foo**bar)",
  "***a** b* and *a **b***": "(ib:a)(i:b)and(i:a)(ib:b)",
  "**foo, *bar*, _baz_**": "(b:foo,)(bi:bar)(b:,)(bi:baz)",
  "snake_case_name, _it is_ and __strong__": "snake_case_name,(i:itis)and(b:strong)",
}

for (const [text, end] of Object.entries({ ...emphasis, ...struck, ...english })) {
  test(`emphasis is drawn as it is meant: ${text}`, () => assert.equal(marksOf(drawn(text)), end))
}

for (const text of [...Object.keys(emphasis), ...Object.keys(struck)]) {
  if (/は記号/.test(text)) continue // a run without an end looks like a beginning
  test(`emphasis shows nothing while it grows that later changes: ${text}`, () => {
    for (const sizes of [[1], [3], [1, 7, 2]]) assert.deepEqual(flashesOf(text, sizes), [])
  })
}
