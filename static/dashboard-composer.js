// The composer: what was typed survives a lost session, a takeover by somebody else and a closed tab; colleagues and the
// customer see that somebody writes; the assistant may write a draft.

const operator = document.body.dataset.operator
const prefix = `beckon-draft:${operator}:`
const composer = () => document.querySelector("#composer")
const kept = {
  read(id) { try { return localStorage.getItem(prefix + id) ?? "" } catch { return "" } },
  leaving: false,
  write(id, text) {
    if (this.leaving) return
    try {
      if (text) localStorage.setItem(prefix + id, text)
      else localStorage.removeItem(prefix + id)
    } catch { /* no storage: the words live as long as the page */ }
  },
  forget() {
    this.leaving = true
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith("beckon-draft:")) localStorage.removeItem(name)
    } catch { /* nothing was kept */ }
  },
}

// A note is kept in the same way, until it is noted.
const noteOf = id => `${id}:note`
function restoreNote() {
  const section = document.querySelector("#noting")
  const field = section?.querySelector("#team-note")
  if (!field) return
  const name = noteOf(section.dataset.conversation)
  if ("sent" in section.dataset) {
    kept.write(name, "")
    delete section.dataset.sent
    document.querySelector("#announce").textContent = "Noted."
  } else if (field.value) kept.write(name, field.value)
  else if ((field.value = kept.read(name))) section.querySelector("details").open = true
}

// Puts kept words back: into the answer where it can be sent, else beside it, to be copied.
function restore() {
  restoreNote()
  const section = composer()
  if (!section) return
  const id = section.dataset.conversation
  if ("sent" in section.dataset) {
    kept.write(id, "")
    delete section.dataset.sent
  }
  const words = kept.read(id)
  const field = section.querySelector("#text")
  if (field) {
    if (field.value) kept.write(id, field.value)
    else field.value = words
    return
  }
  const aside = section.querySelector(".kept")
  if (aside && words) {
    aside.hidden = false
    aside.querySelector("textarea").value = words
  }
}

// Who signs out leaves nothing behind on this machine.
document.querySelector("#sign-out")?.addEventListener("submit", () => kept.forget())

let told = 0
document.addEventListener("input", event => {
  if (event.target.id === "team-note") kept.write(noteOf(event.target.closest("#noting").dataset.conversation), event.target.value)
  if (event.target.id !== "text") return
  const id = composer().dataset.conversation
  kept.write(id, event.target.value)
  if (!event.target.value || Date.now() - told < 3000) return
  told = Date.now()
  // Whether anybody hears of it changes nothing here.
  fetch(`/operator/conversations/${id}/typing`, {
    method: "POST",
    headers: { "x-csrf-token": document.querySelector("#composer [name=csrf]").value, "hx-request": "true" },
  }).catch(() => {})
})

// Nobody knows whether words arrived that got no answer. Sent again under the same id they count once.
document.addEventListener("htmx:error", event => {
  const form = event.target.closest?.("#composer form, #noting form")
  if (form) say(form, "bad", "No answer came, so this may not have been sent. Your words are here still: send them again, they count once.")
})

/** Says something above a form, in place of what was said before. */
function say(form, tone, text) {
  form.parentElement.querySelector(".notice")?.remove()
  const notice = document.createElement("p")
  notice.className = `notice ${tone}`
  notice.setAttribute("role", tone === "bad" ? "alert" : "status")
  notice.textContent = text
  form.before(notice)
}

// A draft by the assistant comes below what was typed, also meanwhile. It is never sent by itself.
document.addEventListener("click", async event => {
  const button = event.target.closest("#suggest")
  if (!button) return
  event.preventDefault()
  if (button.getAttribute("aria-disabled") === "true") return
  button.setAttribute("aria-disabled", "true")
  const { form } = button
  say(form, "note", "The assistant writes a draft.")
  const failed = "No draft came. Try again, or write yourself."
  try {
    const answer = await fetch(button.formAction, {
      method: "POST",
      headers: { "hx-request": "true" },
      body: new URLSearchParams(new FormData(form)),
    })
    if (answer.status === 401) return location.reload()
    const words = await answer.text()
    const field = form.querySelector("#text")
    // Somebody took over meanwhile: there is nothing to write into.
    if (!form.isConnected) return
    if (!answer.ok) return say(form, "bad", words || failed)
    field.value = field.value.trim() ? `${field.value.trimEnd()}\n\n${words}` : words
    field.dispatchEvent(new Event("input", { bubbles: true }))
    field.focus()
    say(form, "note", "A draft by the assistant. Read it, change it, and send it if it is right.")
  } catch {
    if (form.isConnected) say(form, "bad", failed)
  } finally {
    button.removeAttribute("aria-disabled")
  }
})

// The answer to a form that was sent: where the session ended meanwhile, htmx follows to the sign-in; the words are kept.
// News comes at any moment, also while an answer is being put in place: each swap remembers for itself where the focus was.
const focusBefore = new WeakMap()
const places = { "#composer": "#text", "#noting": "summary" }
document.addEventListener("htmx:before:swap", ({ detail }) => {
  focusBefore.set(detail.ctx, Object.keys(places).find(place => document.querySelector(place)?.contains(document.activeElement)))
})
document.addEventListener("htmx:after:swap", ({ detail }) => {
  restore()
  const place = focusBefore.get(detail.ctx)
  if (place && document.activeElement === document.body) document.querySelector(`${place} ${places[place]}`)?.focus()
})
restore()
