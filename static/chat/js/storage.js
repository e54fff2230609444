// The browser's storages, where it has and allows them; they throw when they are full.

const of = (name) => {
  try {
    return globalThis[name] ?? null
  } catch {
    return null
  }
}

export const lasting = of("localStorage")
export const ofThisTab = of("sessionStorage")
