// The form of an assistant in the admin: shows the fields that the chosen provider has, and asks its server for models.

const form = document.getElementById("assistant_form")
const field = (name) => form?.elements.namedItem(name)
const button = form?.querySelector("[data-ref=ask-server]")

if (field("provider")) {
  field("provider").addEventListener("change", showFields)
  showFields()
  button.hidden = false
  button.addEventListener("click", askServer)
}

function showFields() {
  for (const input of form.querySelectorAll("[data-providers]")) {
    const isUsed = input.dataset.providers.split(" ").includes(field("provider").value)
    input.closest(".form-row").hidden = !isUsed && !input.value // what was typed is never hidden
  }
}

async function askServer() {
  const answer = form.querySelector("[data-ref=server-answer]")
  const body = new FormData()
  const names = ["csrfmiddlewaretoken", "provider", "base_url", "api_key_env", "model_name"]
  for (const name of names) body.set(name, field(name)?.value ?? "")
  body.set("assistant", button.dataset.assistant ?? "")
  button.disabled = true
  answer.textContent = button.dataset.asking
  try {
    const response = await fetch(button.dataset.url, { method: "POST", body })
    if (!response.ok) throw new Error(response.statusText)
    const { models, error } = await response.json()
    fillSuggestions(models)
    answer.textContent = error || describe(models)
  } catch {
    answer.textContent = button.dataset.failed
  } finally {
    button.disabled = false
  }
}

function fillSuggestions(models) {
  const options = models.map(({ name }) => {
    const option = document.createElement("option")
    option.value = name
    return option
  })
  document.getElementById("model-names").replaceChildren(...options)
}

// Fills in what the server says about the chosen model, and returns it as a line to show.
function describe(models) {
  const { dataset } = button
  const chosen = models.find(({ name }) => name === field("model_name").value)
  if (!chosen) return `${dataset.found} ${models.map(({ name }) => name).join(", ")}`
  if (chosen.sees_images !== null) field("sees_images").value = chosen.sees_images ? "on" : ""
  if (chosen.window && !field("context_window").value) field("context_window").value = chosen.window
  const abilities = [
    [dataset.images, chosen.sees_images],
    [dataset.thinks, chosen.thinks],
    [dataset.tools, chosen.uses_tools],
  ]
  const words = { true: dataset.yes, false: dataset.no, null: dataset.unknown }
  return abilities.map(([label, value]) => `${label}: ${words[value]}`).join(" · ")
}
