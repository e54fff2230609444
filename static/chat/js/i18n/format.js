// Numbers, durations and dates in the format of a language, for the page's strings.

const ENCODINGS = new Map(Object.entries({ cp932: "Shift_JIS", cp1252: "Windows-1252" }))

/** Returns the name by which people know an encoding; the server sends Python's. */
export const encodingName = (name) => ENCODINGS.get(name) ?? name.toUpperCase()

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
  const ages = new Intl.RelativeTimeFormat(locale, { numeric: "auto" })
  const dayOfYear = new Intl.DateTimeFormat(locale, { dateStyle: "medium" })
  const months = {
    thisYear: new Intl.DateTimeFormat(locale, { month: "long" }),
    otherYear: new Intl.DateTimeFormat(locale, { year: "numeric", month: "long" }),
  }

  return {
    number: (value) => integers.format(value),
    oneDecimal: (value) => decimals.format(value),

    /** 1234567 -> "1.2 MB" */
    bytes: (size) => {
      const exponent = size < 1000 ? 0 : size < 999_500 ? 1 : size < 999_500_000 ? 2 : 3
      const unit = ["byte", "kilobyte", "megabyte", "gigabyte"][exponent]
      const style = {
        style: "unit",
        unit,
        unitDisplay: exponent ? "short" : "long",
        maximumFractionDigits: exponent > 1 ? 1 : 0,
      }
      return new Intl.NumberFormat(locale, style).format(size / 1000 ** exponent)
    },

    /** plural(2, { one: "answer", other: "answers" }) -> "answers" */
    plural: (count, forms) => forms[plurals.select(count)] ?? forms.other,

    /** In the local time zone; without the date if it is today. */
    dateTime: (date) => dateTimes[isToday(date) ? "today" : "otherDay"].format(date),
    fullDateTime: (date) => dateTimes.fullDateTime.format(date),

    /** How long ago this was, such as "2 hours ago" or "yesterday"; the date if it was longer ago than a week. */
    ago: (date, now = new Date()) => {
      const minutes = Math.max(0, Math.floor((now - date) / 60_000))
      if (minutes < 60) return ages.format(-minutes, "minute")
      const days = daysBetween(date, now)
      if (!days) return ages.format(-Math.floor(minutes / 60), "hour")
      return days <= 7 ? ages.format(-days, "day") : dayOfYear.format(date)
    },

    /** In the local time zone, always with the year. */
    date: (value) => dayOfYear.format(value),

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

/** "report.final.PDF" -> "pdf"; "" if there is none. */
export const extensionOf = (name) => {
  const end = name.slice(-12)
  const dot = end.lastIndexOf(".")
  const extension = dot < 0 ? "" : end.slice(dot + 1).toLowerCase()
  return /^[a-z0-9]{1,8}$/.test(extension) ? extension : ""
}

const isToday = (date) => date.toDateString() === new Date().toDateString()

const daysBetween = (date, now) =>
  Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000)
