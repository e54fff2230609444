// Every sentence that the page's scripts show, in Japanese. Each has its English twin in words.en.js.

import { inWords, minutesAndSeconds, telling } from "./telling.js";

const { exactly, moment, month, number, tenth } = telling("ja")

const whole = (seconds) => {
  const [minutes, rest] = minutesAndSeconds(seconds)
  return minutes ? `${minutes}分${rest}秒` : `${rest}秒`
}

const tools = new Map(Object.entries({ calculator: "計算機", clock: "時計", search_conversations: "会話の検索" }))

export const words = {
  // Conversation list
  untitled: "新しい会話",
  none: {
    recent: "会話はここに表示されます。",
    archive: "アーカイブは空です。",
    search: "見つかりませんでした。",
  },
  group: {
    pinned: "固定",
    today: "今日",
    yesterday: "昨日",
    week: "過去7日間",
    month: "過去30日間",
  },
  month,
  more: "さらに表示",
  again: "再試行",
  listFailed: "一覧を読み込めませんでした。",
  found: (count, isMore) => (isMore ? `${number(count)}件を超える会話が見つかりました。` : `${number(count)}件の会話が見つかりました。`),
  inArchive: (title) => `${title}（アーカイブ）`,
  options: (title) => `「${title}」のメニュー`,
  pin: "固定する",
  unpin: "固定を解除",
  archive: "アーカイブする",
  unarchive: "アーカイブから戻す",
  deleted: (title) => `「${title}」を削除しました。`,
  archived: (title) => `「${title}」をアーカイブしました。`,
  undo: "元に戻す",
  tooLateToUndo: "元に戻せる時間を過ぎました。この会話は完全に削除されています。",

  // Sharing
  linkMade: "リンクができました。",
  linkMadeAt: (moment) => `${moment}に作成`,
  linkRevoked: "このリンクは無効になりました。",
  revokeLink: (moment) => `無効化：${moment}に作成したリンク`,

  // Settings
  saving: "保存しています…",
  saved: "保存しました",
  notSaved: "保存できませんでした",
  importing: "ファイルを読み込んでいます…",
  imported: ({ conversations, messages, known }) => {
    const news = conversations
      ? `${number(conversations)}件の会話（メッセージ${number(messages)}件）を読み込みました。`
      : "このファイルに新しい会話はありません。"
    return known ? `${news}${number(known)}件はすでにありました。` : news
  },

  // Keyboard shortcuts
  or: "または",
  shortcut: {
    newChat: "新しい会話",
    search: "会話を検索",
    sidebar: "会話の一覧を表示／非表示",
    composer: "メッセージの入力欄へ移動",
    stop: "返答を停止",
    copyAnswer: "最後の返答をコピー",
    quote: "選択した部分を引用",
    undo: "削除・アーカイブを元に戻す",
    settings: "設定",
    help: "この一覧",
    move: "一覧で：前後の会話へ移動",
    rename: "一覧で：名前を変更",
    remove: "一覧で：削除",
  },

  // Messages
  you: "あなた",
  assistant: "アシスタント",
  waiting: "順番を待っています…",
  thinking: "考えています…",
  noAnswer: "返答は空でした。",
  cancelled: "この返答を停止しました。",
  interrupted: "この返答は途中で切れました。",
  failed: "この返答は失敗しました。",
  copy: "コピー",
  copied: "コピーしました",
  code: "テキスト",
  image: (alt, host) => `画像：${alt || "説明なし"}（${host}）`,
  done: "完了：",
  toDo: "未完了：",
  wrap: "折り返し",
  download: "ダウンロード",
  diagram: "図",
  showDiagram: "図",
  showSource: "ソース",
  note: (name) => `脚注${name}`,
  noteBack: (name) => `脚注${name}：本文へ戻る`,

  // What is done with messages
  version: (number, count) => `${count}件中${number}番目の版`,
  waitsForTheAnswer: "前の返答を待っています",
  sending: "送信しています…",
  notSentYet: "未送信です。サーバーにつながりしだい送信します",
  takenBack: "取り消しました。入力欄で編集できます。",
  sentImage: "送信した画像",
  imageTitle: (width, height) => `画像（${width} × ${height}）`,
  characters: (count) => `${number(count)}文字`,
  why: { up: "よかった点は何ですか？", down: "問題は何でしたか？" },
  reasons: {
    up: { correct: "正確", clear: "わかりやすい", complete: "過不足がない", style: "文章がよい" },
    down: {
      wrong: "誤りがある", "off-topic": "質問とずれている", incomplete: "足りない", "too-long": "長すぎる",
      style: "文章がよくない", unsafe: "有害・危険",
    },
  },
  rated: "ありがとうございます。評価を保存しました。",
  ratingTakenBack: "評価を取り消しました。",
  about: {
    assistant: "アシスタント",
    model: "モデル",
    began: "日時",
    took: "所要時間",
    read: "入力",
    written: "出力",
    tokens: (count) => `${number(count)}トークン`,
    cached: (count) => `うち${number(count)}はキャッシュ`,
    thought: (count) => `うち${number(count)}は思考`,
  },

  // What is attached to a message
  pasted: (count) => (count === 1 ? "貼り付けたテキスト" : `貼り付けたテキスト${count}`),
  remove: (name) => `${name}を外す`,
  seesNoImages: (assistant) => `${assistant}は画像を読めません。別のアシスタントを選んでください。`,
  tooManyAttached: (most) => `1つのメッセージに添付できるのは、画像とテキストそれぞれ${most}件までです。`,
  notReadable: (name) => `「${name}」は画像でもテキストでもありません。`,
  fileTooLong: (name, limit) => `「${name}」は長すぎます。送信できるのは${number(limit)}文字までです。`,
  imageNotUploaded: "アップロードできなかった画像があります。もう一度試すか、外してください。",
  writeSomething: "添付したものをどうするか書いてください。",

  // Steps on the way to an answer
  thought: (seconds) => (seconds === undefined ? "思考の過程" : seconds < 0.5 ? "少し考えました" : `${whole(seconds)}考えました`),
  tool: (name) => tools.get(name) ?? (inWords(name) || "ツール"),
  step: {
    running: "実行中…",
    waiting: "許可待ち",
    done: "完了",
    failed: "失敗",
    expired: "期限切れ",
    unused: "未使用",
    stopped: "停止",
  },
  result: "結果",
  error: "エラー",
  steps: (count, failed) => `${count}ステップ${failed ? `（${failed}件失敗）` : ""}`,
  took: (seconds) => (seconds < 0.05 ? "0.1秒未満" : seconds < 9.95 ? `${tenth(seconds)}秒` : whole(seconds)),
  takes: whole,

  // What waits for the person's yes
  until: (moment) => `${moment}まで回答できます。`,
  expired: (moment) => `回答の期限（${moment}）を過ぎました。何も実行していません。`,
  answersLeft: (count) => `あと${count}件に回答すると、続きが始まります。`,
  moment,
  exactly,

  // What a screen reader hears
  answering: "アシスタントが返答しています。",
  answered: "返答が完了しました。",
  asking: "アシスタントが許可を求めています。",
  codeHere: (language) => `コード：${language}`,

  // A conversation that is only read
  picture: "画像",
  used: (tool) => `使用：${tool}`,

  // When something fails
  unreachable: "サーバーに接続できません。接続を確認して、もう一度お試しください。",
  serverFailed: (status) => `サーバーで処理できませんでした（エラー${status}）。少し待ってから、もう一度お試しください。`,
  tooLong: (limit) => `メッセージが長すぎます。送信できるのは${number(limit)}文字までです。`,
  noAssistants: "アシスタントなし",
  connection: {
    back: "接続が回復しました。",
    reconnecting: "接続が切れました。再接続しています…",
    offline: "オフラインです。送信したものは、接続が戻りしだい届きます。",
  },
}
