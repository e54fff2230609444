// Numbers, durations and dates in the format of a language, for the page's strings.

export const createFormat = (language) => {
  // An English page in London formats dates as in London.
  const locale = globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === language) ?? language
  const plurals = new Intl.PluralRules(language)
  const decimals = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const integers = new Intl.NumberFormat(locale)
  const dateTimes = {
    today: new Intl.DateTimeFormat(locale, { timeStyle: "short" }),
    otherDay: new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }),
    fullDateTime: new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" }),
  }
  const months = {
    thisYear: new Intl.DateTimeFormat(locale, { month: "long" }),
    otherYear: new Intl.DateTimeFormat(locale, { year: "numeric", month: "long" }),
  }

  return {
    number: (value) => integers.format(value),
    oneDecimal: (value) => decimals.format(value),

    /** plural(2, { one: "answer", other: "answers" }) -> "answers" */
    plural: (count, forms) => forms[plurals.select(count)] ?? forms.other,

    /** In the local time zone; without the date if it is today. */
    dateTime: (date) => dateTimes[isToday(date) ? "today" : "otherDay"].format(date),
    fullDateTime: (date) => dateTimes.fullDateTime.format(date),

    /** The month of a date; without the year if it is this one. */
    month: (date) => months[date.getFullYear() === new Date().getFullYear() ? "thisYear" : "otherYear"].format(date),
  }
}

/** 125.2 -> [2, 5]: whole minutes and seconds. */
export const minutesAndSeconds = (seconds) => {
  const rounded = Math.round(seconds)
  return [Math.floor(rounded / 60), rounded % 60]
}

/** "search_conversations" -> "Search conversations", "getWeather" -> "Get weather": a program's name as a title. */
export const titleFromName = (name) => {
  const spaced = name
    .replace(/[_\-.:/\s]+/g, " ")
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .trim()
  return spaced && spaced[0].toUpperCase() + spaced.slice(1)
}

const isToday = (date) => date.toDateString() === new Date().toDateString()
