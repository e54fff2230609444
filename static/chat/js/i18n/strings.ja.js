// All text that the page's scripts show, in Japanese; strings.en.js has the same in English.

import { createFormat, minutesAndSeconds, titleFromName } from "./format.js"

const { dateTime, fullDateTime, month, number, oneDecimal } = createFormat("ja")

const wholeSeconds = (seconds) => {
  const [minutes, rest] = minutesAndSeconds(seconds)
  return minutes ? `${minutes}分${rest}秒` : `${rest}秒`
}

const tools = new Map(Object.entries({ calculator: "計算機", clock: "時計", search_conversations: "会話の検索" }))

export const strings = {
  // Conversation list
  untitled: "新しい会話",
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

  // Sharing
  linkCreated: "リンクを作成しました。",
  linkCreatedAt: (time) => `${time}に作成`,
  linkRevoked: "このリンクは無効になりました。",
  revokeLink: (time) => `${time}に作成したリンクを無効にする`,

  // Settings
  saving: "保存しています…",
  saved: "保存しました",
  notSaved: "保存できませんでした",
  importing: "インポートしています…",
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
    undo: "削除・アーカイブを元に戻す",
    settings: "設定",
    help: "キーボードショートカット",
    move: "一覧：前後の会話へ移動",
    rename: "一覧：名前を変更",
    remove: "一覧：削除",
  },

  // Messages
  you: "あなた",
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
  wrap: "折り返し",
  download: "ダウンロード",
  diagram: "図",
  showDiagram: "図",
  showSource: "ソース",
  footnote: (name) => `脚注${name}`,
  footnoteBack: (name) => `脚注${name}：本文へ戻る`,

  // Actions on messages
  version: (number, count) => `${count}件中${number}番目のバージョン`,
  waitingForPreviousAnswer: "前の返答を待っています",
  sending: "送信しています…",
  unsent: "未送信です。サーバーに接続できしだい送信します。",
  messageWithdrawn: "送信を取り消しました。入力欄で編集できます。",
  sentImage: "送信した画像",
  imageTitle: (width, height) => `画像（${width} × ${height}）`,
  characters: (count) => `${number(count)}文字`,
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
  info: {
    assistant: "アシスタント",
    model: "モデル",
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
  remove: (name) => `${name}を削除`,
  imagesNotSupported: (assistant) => `${assistant}は画像に対応していません。別のアシスタントを選んでください。`,
  tooManyAttachments: (limit) => `1つのメッセージに添付できるのは、画像とテキストそれぞれ${limit}件までです。`,
  unsupportedFile: (name) => `「${name}」は画像でもテキストファイルでもありません。`,
  fileTooLong: (name, limit) => `「${name}」は長すぎます。上限は${number(limit)}文字です。`,
  imageNotUploaded: "画像をアップロードできませんでした。もう一度試すか、画像を外してください。",
  messageRequired: "添付ファイルに添えるメッセージを入力してください。",

  // Steps of an answer
  reasoningTitle: (seconds) =>
    seconds === undefined ? "思考の過程" : seconds < 0.5 ? "少し考えました" : `${wholeSeconds(seconds)}考えました`,
  tool: (name) => tools.get(name) ?? (titleFromName(name) || "ツール"),
  step: {
    running: "実行中…",
    waiting: "許可待ち",
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
  respondBy: (time) => `${time}までに選択してください。`,
  requestExpired: (time) => `選択の期限（${time}）を過ぎました。ツールは実行されませんでした。`,
  decisionsLeft: (count) => `続行するには、あと${count}件の選択が必要です。`,
  dateTime,
  fullDateTime,

  // Announced by screen readers
  answerStarted: "アシスタントが返答しています。",
  answerComplete: "返答が完了しました。",
  approvalNeeded: "アシスタントが許可を求めています。",
  codeBlock: (language) => `コード：${language}`,

  // Read-only pages
  image: "画像",
  usedTool: (tool) => `使用：${tool}`,

  // Failures
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
