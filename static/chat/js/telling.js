// Numbers, lengths of time and moments as people of a language write them: what the words are made with.

export const telling = (language) => {
  // An English page in London writes dates as London does.
  const theirs = globalThis.navigator?.languages?.find((one) => one.split("-")[0] === language) ?? language
  const plurals = new Intl.PluralRules(language)
  const tenth = new Intl.NumberFormat(theirs, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const figures = new Intl.NumberFormat(theirs)
  const moments = {
    today: new Intl.DateTimeFormat(theirs, { timeStyle: "short" }),
    ever: new Intl.DateTimeFormat(theirs, { dateStyle: "medium", timeStyle: "short" }),
    exactly: new Intl.DateTimeFormat(theirs, { dateStyle: "full", timeStyle: "medium" }),
  }
  const months = {
    thisYear: new Intl.DateTimeFormat(theirs, { month: "long" }),
    ever: new Intl.DateTimeFormat(theirs, { year: "numeric", month: "long" }),
  }

  return {
    number: (value) => figures.format(value),
    tenth: (value) => tenth.format(value),

    // One of the forms of a word: plural(2, { one: "answer", other: "answers" }).
    plural: (count, forms) => forms[plurals.select(count)] ?? forms.other,

    // In the person's own zone; without the date if it is today.
    moment: (date) => moments[isToday(date) ? "today" : "ever"].format(date),
    exactly: (date) => moments.exactly.format(date),

    // The month of a date; without the year if it is this one.
    month: (date) => months[date.getFullYear() === new Date().getFullYear() ? "thisYear" : "ever"].format(date),
  }
}

// 125.2 -> [2, 5]: whole minutes and seconds.
export const minutesAndSeconds = (seconds) => {
  const rounded = Math.round(seconds)
  return [Math.floor(rounded / 60), rounded % 60]
}

// "search_conversations", "getWeather" -> words. A name is for programs; a person reads it as a title.
export const inWords = (name) => {
  const spaced = name.replace(/[_\-.:/\s]+/g, " ").replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2").trim()
  return spaced && spaced[0].toUpperCase() + spaced.slice(1)
}

const isToday = (date) => date.toDateString() === new Date().toDateString()
