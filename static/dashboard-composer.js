// The composer: what was typed survives a lost session, a takeover by somebody else and a closed tab; colleagues and the
// customer see that somebody writes.

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

// Puts kept words back: into the answer where it can be sent, else beside it, to be copied.
function restore() {
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
  const form = event.target.closest?.("#composer form")
  if (!form) return
  composer().querySelector(".notice")?.remove()
  const notice = document.createElement("p")
  notice.className = "notice bad"
  notice.setAttribute("role", "alert")
  notice.textContent = "No answer came, so this may not have been sent. Your words are here still: send them again, they count once."
  form.before(notice)
})

// The answer to a form that was sent: where the session ended meanwhile, htmx follows to the sign-in; the words are kept.
let hadFocus = false
document.addEventListener("htmx:before:swap", () => { hadFocus = Boolean(composer()?.contains(document.activeElement)) })
document.addEventListener("htmx:after:swap", () => {
  restore()
  if (hadFocus && !composer()?.contains(document.activeElement)) composer()?.querySelector("#text")?.focus()
})
restore()
