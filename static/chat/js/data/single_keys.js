// Whether a single character may be a shortcut. People who dictate may say one by chance, and can turn it off in this browser.

import { JsonStore, localStore } from "./storage.js"

const KEY = "single-keys"
const store = new JsonStore(localStore, "chat.")

export const hasSingleKeys = () => store.get(KEY) !== false

export const setSingleKeys = (isOn) => store.set(KEY, isOn)
