// All text that the page's scripts show, in Japanese; strings.en.js has the same in English.

import { createFormat, encodingName, extensionOf, minutesAndSeconds, titleFromName } from "./format.js"

const { bytes, ago, date, dateTime, fullDateTime, month, number, oneDecimal } = createFormat("ja")

const wholeSeconds = (seconds) => {
  const [minutes, rest] = minutesAndSeconds(seconds)
  return minutes ? `${minutes}分${rest}秒` : `${rest}秒`
}

const tools = new Map(Object.entries({ calculator: "計算機", clock: "時計", search_conversations: "会話の検索" }))

const characters = (count) => `${number(count)}文字`

const countUnits = {
  page: (count) => `${number(count)}ページ`,
  sheet: (count) => `${number(count)}シート`,
  slide: (count) => `スライド${number(count)}枚`,
  message: (count) => `メール${number(count)}通`,
}
const unitLabels = {
  page: (label) => `${label}ページ`,
  slide: (label) => `スライド${label}`,
  message: (label) => `メール${label}`,
}

// What a file or a pasted text is, such as "PDF · 12ページ · 1.2 MB".
const fileFacts = ({ name, text, unit, count, size }) => {
  if (text !== undefined) return characters(text.length)
  const kind = extensionOf(name).toUpperCase()
  return [kind, countUnits[unit]?.(count), bytes(size)].filter(Boolean).join(" · ")
}

const fileNotes = {
  no_text: () => "画像だけで、テキストがありません。モデルは内容を読めません。",
  some_pages_damaged: () => "壊れているページがあります。モデルはそのページを読めません。",
  some_pages_without_text: () => "テキストを読み取れないページがあります。モデルはそのページを読めません。",
  truncated: (count, unit) =>
    unit in countUnits
      ? `長すぎるため、${countUnits[unit](count)}まで読み取りました。`
      : "長すぎるため、先頭の部分だけを読み取りました。",
  hidden_sheets_left_out: () => "非表示のシートは読み取っていません。",
  hidden_slides_left_out: () => "非表示のスライドは読み取っていません。",
  hidden_text_left_out: () => "隠し文字は読み取っていません。",
  formulas_shown_as_values: () => "数式は計算結果に置き換えました。",
  macros_ignored: () => "マクロは無視しました。",
  encoding: (name) => `文字コード${encodingName(name)}として読み取りました。`,
  name_differs: () => "ファイルの内容が拡張子と一致しません。",
  attachments_left_out: () => "メールの添付ファイルは読み取っていません。",
  first_frame: () => "アニメーションは、最初のフレームだけを保存しました。",
}
const fileNote = (note, unit) => {
  const [code, value] = note.split(":")
  return Object.hasOwn(fileNotes, code) ? fileNotes[code](/^\d+$/.test(value) ? Number(value) : value, unit) : ""
}

export const strings = {
  // Conversation list
  untitled: "新しい会話",
  temporary: "一時的な会話",
  gone: "会話が見つかりません",
  emptyList: {
    recent: "会話はここに表示されます。",
    archive: "アーカイブは空です。",
    search: "会話が見つかりませんでした。",
  },
  group: {
    pinned: "固定",
    today: "今日",
    yesterday: "昨日",
    week: "過去7日間",
    month: "過去30日間",
  },
  month,
  showMore: "さらに表示",
  tryAgain: "再試行",
  listFailed: "一覧を読み込めませんでした。",
  searchResults: (count, isMore) =>
    isMore ? `${number(count)}件を超える会話が見つかりました。` : `${number(count)}件の会話が見つかりました。`,
  inArchive: (title) => `${title}（アーカイブ）`,
  conversationOptions: (title) => `「${title}」のメニュー`,
  pin: "固定する",
  unpin: "固定を解除",
  archive: "アーカイブする",
  unarchive: "アーカイブから戻す",
  deleted: (title) => `「${title}」を削除しました。`,
  archived: (title) => `「${title}」をアーカイブしました。`,
  undo: "元に戻す",
  tooLateToUndo: "元に戻せる時間を過ぎました。この会話は完全に削除されています。",
  conversationActivity: {
    answering: "返答中…",
    answered: "新しい返答",
    failed: "返答に失敗しました",
    waiting: "承認待ち",
  },
  notification: {
    answered: "返答ができました。",
    failed: "返答を生成できませんでした。",
    waiting: "アシスタントが承認を求めています。",
  },
  notificationsBlocked:
    "このブラウザーでは、このサイトの通知が許可されていません。ブラウザーの設定で許可してください。",

  // A new chat
  greeting: {
    morning: (name) => `${name && `${name}さん、`}おはようございます`,
    afternoon: (name) => `${name && `${name}さん、`}こんにちは`,
    evening: (name) => `${name && `${name}さん、`}こんばんは`,
    night: (name) => `${name && `${name}さん、`}夜\u2060遅くまでお疲れさまです`, // no line break in 夜遅く
  },
  ago,

  // Sharing
  linkCreated: "リンクを作成しました。",
  linkCreatedAt: (time) => `${time}に作成`,
  linkRevoked: "このリンクは無効になりました。",
  revokeLink: (time) => `${time}に作成したリンクを無効化`,

  // Settings
  saving: "保存しています…",
  saved: "保存しました",
  notSaved: "保存できませんでした",
  importing: "インポートしています…",
  importWaiting: "ほかのインポートが終わるのを待っています…",
  importUploading: (part) => `アップロードしています… ${number(Math.floor(part * 100))}%`,
  importProgress: (done, total) => `${number(total)}件中${number(done)}件の会話をインポートしました…`,
  importOf: (name, time) => `${name}（${time}）：`,
  imported: ({ conversations, messages, known, updated, left_out_count }) => {
    const summary = conversations
      ? `${number(conversations)}件の会話（メッセージ${number(messages)}件）をインポートしました。`
      : updated
        ? `メッセージ${number(messages)}件をインポートしました。`
        : "新しくインポートする会話はありません。"
    return [
      summary,
      updated && `${number(updated)}件の会話を更新しました。`,
      known && `${number(known)}件の会話はすでに一覧にあります。`,
      left_out_count && `問題が${number(left_out_count)}件ありました：`,
    ]
      .filter(Boolean)
      .join("")
  },
  importProblem: ({ title, reason }) => `${title || "無題"}：${reason}`,
  moreImportProblems: (count) => `ほか${number(count)}件`,

  // Keyboard shortcuts
  or: "または",
  shortcut: {
    newChat: "新しい会話",
    search: "会話を検索",
    sidebar: "会話の一覧を表示／非表示",
    composer: "メッセージの入力欄へ移動",
    stop: "返答を停止",
    copyAnswer: "最後の返答をコピー",
    quote: "選択範囲を引用",
    print: "会話を印刷",
    undo: "削除・アーカイブを元に戻す",
    settings: "設定",
    help: "ショートカットキー",
    move: "一覧：前後の会話へ移動",
    rename: "一覧：名前を変更",
    remove: "一覧：削除",
  },

  // Messages
  you: "あなた",
  user: "ユーザー",
  assistant: "アシスタント",
  activity: {
    queued: "順番を待っています…",
    reading: "モデルがメッセージを読んでいます…",
    reading_result: "モデルが結果を読んでいます…",
    thinking: "考えています…",
    using_tool: "ツールの結果を待っています…",
    silent: "モデルからの続きを待っています…",
  },
  generatedImage: "アシスタントが生成した画像",
  contextTrimmed: ({ kept }) =>
    `会話が長いため、この返答の時点でモデルに渡したのは直前の${number(kept)}件のメッセージだけです。`,
  imagesTrimmed: ({ shown }) =>
    `この会話には画像が多いため、ここから先、モデルに渡すのは新しい${number(shown)}枚だけです。`,
  fileTrimmed: ({ name, unit, shown, count }) =>
    count && shown
      ? `「${name}」は長く、モデルが一度に読める量を超えるため、最初の${countUnits[unit]?.(shown) ?? shown}だけを渡しました（全${countUnits[unit]?.(count) ?? count}）。`
      : `「${name}」は長く、モデルが一度に読める量を超えるため、渡したのは最大でも最初の部分だけです。`,
  copiedUpTo: ({ shared_at }) => `ここまでは、${date(new Date(shared_at))}に共有された会話のコピーです。`,
  emptyAnswer: "アシスタントの返答が空でした。",
  cancelled: "この返答を停止しました。",
  interrupted: "この返答は中断されました。",
  failed: "返答を生成できませんでした。",
  copy: "コピー",
  copied: "コピーしました",
  codeWithoutLanguage: "テキスト",
  remoteImage: (alt, host) => `画像：${alt || "説明なし"}（${host}）`,
  taskDone: "完了：",
  taskToDo: "未完了：",
  copyTable: "表をコピー",
  copyCsv: "CSVをコピー",
  downloadCsv: "CSVをダウンロード",
  wrap: "折り返し",
  unfold: "さらに表示",
  fold: "折りたたむ",
  download: "ダウンロード",
  diagram: "図",
  showDiagram: "図",
  showSource: "ソース",
  enlarge: "拡大",
  percent: (share) => `${number(Math.round(100 * share))}%`,
  diagramQuoted: "ラベルを引用符で囲んで図を描画しました。",
  diagramProblem: {
    syntax: (line, text, token) =>
      `この図は描画できません。${line}行目${token ? `の「${token}」付近` : ""}に誤りがあります：${text}`,
    unknown: (text) => `この図は描画できません。「${text}」という種類の図はありません。`,
    tooLong: (limit) => `この図は長すぎるため描画できません。上限は${number(limit)}文字です。`,
    tooLarge: "図が大きすぎます。",
    slow: "描画に時間がかかりすぎています。",
    empty: "図が空です。",
    other: (reason) => `この図は描画できません：${reason}`,
    png: "PNGとして保存できませんでした。SVGをお試しください。",
  },
  footnote: (name) => `脚注${name}`,
  footnoteBack: (name) => `脚注${name}：本文へ戻る`,

  // Actions on messages
  version: (place, count) => `バージョン${place}/${count}`,
  waitingForPreviousAnswer: "前の返答を待っています",
  sending: "送信しています…",
  notSentYet: "未送信です。サーバーに接続できしだい送信します。",
  alreadySent: "このメッセージはすでに送信されていました。",
  messageTakenBack: "送信を取り消しました。入力欄で編集できます。",
  sentImage: "送信した画像",
  imageTitle: (width, height) => `画像（${width} × ${height}）`,
  characters,
  ratingQuestion: { up: "よかった点は何ですか？", down: "問題は何でしたか？" },
  ratingReasons: {
    up: { correct: "正確", clear: "わかりやすい", complete: "漏れがない", style: "文章がよい" },
    down: {
      wrong: "正しくない",
      "off-topic": "質問とずれている",
      incomplete: "不十分",
      "too-long": "長すぎる",
      style: "文章がよくない",
      unsafe: "有害・危険",
    },
  },
  rated: "評価していただき、ありがとうございます。",
  ratingRemoved: "評価を取り消しました。",
  instruction: {
    shorter: "もっと短くしてください。",
    longer: "もっと詳しく説明してください。",
    simpler: "もっとやさしい言葉で説明してください。",
  },
  info: {
    assistant: "アシスタント",
    model: "モデル",
    instruction: "指示",
    time: "日時",
    duration: "所要時間",
    input: "入力",
    output: "出力",
    tokens: (count) => `${number(count)}トークン`,
    cachedTokens: (count) => `うち${number(count)}はキャッシュ`,
    reasoningTokens: (count) => `うち${number(count)}は思考`,
  },

  // Attachments
  pasted: (index) => (index === 1 ? "貼り付けたテキスト" : `貼り付けたテキスト${index}`),
  remove: (name) => `${name}を外す`,
  imagesNotSupported: (assistant) => `${assistant}は画像に対応していません。別のアシスタントを選んでください。`,
  messageRequired: "添付ファイルに添えるメッセージを入力してください。",
  tooManyFiles: (limit, leftOut) =>
    `1つのメッセージに添付できるファイルは${limit}件までです。${number(leftOut)}件は添付していません。`,
  tooManyTexts: (limit) => `1つのメッセージに添付できる長いテキストは${limit}件までです。`,
  isFolder: (name) => `「${name}」はフォルダーです。中のファイルを添付してください。`,
  fileIsEmpty: (name) => `「${name}」は空のファイルです。`,
  fileTooLarge: (name, size, limit) => `「${name}」は大きすぎます（${bytes(size)}）。上限は${bytes(limit)}です。`,
  fileNotUploaded: (name) => `「${name}」をアップロードできませんでした。再試行するか、ファイルを外してください。`,
  fileRefused: (name) => `「${name}」は送信できません。ファイルを外してください。`,
  sheets: (names, count) => `シート：${names.join("、")}${count > names.length ? "、…" : "。"}`,
  filesGone: (names) =>
    `次の添付は利用できなくなりました：${names.join("、")}。必要な場合は、もう一度添付してください。`,
  filesNotUploaded: (names) =>
    `次のファイルのアップロードが中断されました：${names.join("、")}。もう一度添付してください。`,
  fileWaits: (name) =>
    `「${name}」はまだアップロードされていません。サーバーに接続できしだい、アップロードを再開します。`,
  fileSize: bytes,
  uploadState: {
    waiting: () => "待機中…",
    delayed: () => "サーバーの空きを待っています…",
    offline: () => "接続を待っています…",
    uploading: (progress) => `アップロード中 ${Math.floor(progress * 100)}%`,
    reading: () => "読み取り中…",
  },
  uploadProgress: (name) => `${name}をアップロード中`,
  uploadAgain: (name) => `再試行：${name}`,
  uploadingFiles: (count) => `${count}件のファイルをアップロードしています。`,
  imageUploaded: "画像をアップロードしました。",
  fileRead: (name, part) => `${name}を読み取りました：${fileFacts(part)}。`,
  fileFailed: (name, problem) => `${name}：${problem}`,
  fileFacts,
  fileNotes: ({ notes = [], unit }) => notes.map((note) => fileNote(note, unit)).filter(Boolean),
  unitLabel: (unit, label) => (unit in unitLabels && /^\d+$/.test(label) ? unitLabels[unit](label) : label),
  loadingText: "読み込んでいます…",
  noTextInFile: "このファイルにテキストは見つかりませんでした。",

  // Steps of an answer
  reasoningTitle: (seconds) =>
    seconds === undefined ? "思考の過程" : seconds < 0.5 ? "少し考えました" : `${wholeSeconds(seconds)}考えました`,
  tool: (name) => tools.get(name) ?? (titleFromName(name) || "ツール"),
  step: {
    running: "実行中…",
    waiting: "承認待ち",
    done: "完了",
    failed: "失敗",
    expired: "期限切れ",
    unused: "スキップ",
    stopped: "停止",
  },
  result: "結果",
  error: "エラー",
  steps: (count, failed) => `${count}ステップ${failed ? `（${failed}件失敗）` : ""}`,
  duration: (seconds) =>
    seconds < 0.05 ? "0.1秒未満" : seconds < 9.95 ? `${oneDecimal(seconds)}秒` : wholeSeconds(seconds),
  elapsed: wholeSeconds,

  // Approvals
  allowTool: (tool) => `「${tool}」の実行を承認しますか？`,
  removeTool: (tool) => `「${tool}」を削除`,
  toolAsksAgain: (tool) => `「${tool}」は、次回から承認を求めます。`,
  respondBy: (time) => `${time}までに承認または拒否してください。`,
  requestExpired: (time) => `承認の期限（${time}）を過ぎました。ツールは実行されませんでした。`,
  decisionsLeft: (count) => `続行するには、あと${count}件の判断が必要です。`,
  date,
  dateTime,
  fullDateTime,

  // Announced by screen readers
  answerStarted: "アシスタントが返答しています。",
  answerComplete: "返答が完了しました。",
  approvalNeeded: "アシスタントが承認を求めています。",
  codeBlock: (language) => `コード：${language}`,

  // Read-only pages
  image: "画像",
  usedTool: (tool) => `使用：${tool}`,

  // Failures
  errorHelp: {
    "other-assistant": "別のアシスタントを選ぶ",
    shorten: "メッセージを短くする",
    "new-chat": "このメッセージで新しい会話を始める",
  },
  onlyStaffCanFix: "この問題を解決できるのは、サイトの管理者のみです。",
  openAssistant: "アシスタントを開く",
  openRun: "実行記録を開く",
  unreachable: "サーバーに接続できません。接続を確認して、もう一度お試しください。",
  serverFailed: (status) =>
    `サーバーで処理できませんでした（エラー${status}）。少し待ってから、もう一度お試しください。`,
  tooLong: (limit) => `メッセージが長すぎます。上限は${number(limit)}文字です。`,
  noAssistants: "アシスタントなし",
  connection: {
    back: "接続が回復しました。",
    reconnecting: "接続が切れました。再接続しています…",
    offline: "オフラインです。メッセージは接続が回復しだい送信されます。",
  },
}
