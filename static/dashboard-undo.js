// A moment to take back what was sent. Words for a customer, and closing a conversation, wait five seconds in the browser;
// then, at a second press, or when the page is left, they go for certain. Nothing is shown to the customer that would vanish.

const one = selector => document.querySelector(selector)
const MOMENT = 5000
/** How long after a page was left the next one still asks whether its words arrived. */
const FRESH = 60_000
const prefix = `beckon-draft:${document.body.dataset.operator}:`
const SENT = ":sent"
const bar = one("#undo")
const announce = text => { one("#announce").textContent = text }
const storage = act => { try { return act(localStorage) } catch { return null } }

const wanted = {
  get on() { return storage(kept => kept.getItem("beckon-moment")) !== "off" },
  set on(value) { storage(kept => kept.setItem("beckon-moment", value ? "on" : "off")) },
}
const box = one("#moment")
if (box) {
  box.checked = wanted.on
  box.addEventListener("change", () => { wanted.on = box.checked })
}

/** What waits: the form, whether it is words, its button's own label, the clock. */
let held = null
/** The form that may pass now. */
let passing = null

const kindOf = form => {
  if (form.matches("#composer form")) return "say"
  return form.matches("#hand form[action$='/close']") ? "close" : null
}
const button = form => form.querySelector(".btn.pri")
const field = form => form.querySelector("#text")

function hold(form, kind) {
  held = { form, kind, clock: setTimeout(release, MOMENT) }
  if (kind === "say") {
    field(form).readOnly = true
    button(form).textContent = "Send now"
  } else {
    form.closest("details").open = false
    form.closest("details").querySelector("summary").focus()
  }
  bar.querySelector("p").textContent = kind === "say" ? "Sends in five seconds." : "Closes in five seconds."
  bar.hidden = false
  announce(`${bar.querySelector("p").textContent} Control Z takes it back.`)
}

/** Lets go of what waits, as it was; answers it. */
function drop() {
  const was = held
  if (!was) return null
  clearTimeout(was.clock)
  held = null
  bar.hidden = true
  if (was.kind === "say" && was.form.isConnected) {
    field(was.form).readOnly = false
    button(was.form).textContent = "Send"
  }
  return was
}

function release() {
  const was = drop()
  if (!was) return
  passing = was.form
  was.form.requestSubmit()
  passing = null
}

function undo() {
  const was = drop()
  if (!was) return
  announce(was.kind === "say" ? "Not sent. Your words are in the answer." : "Not closed.")
  if (was.kind === "say") {
    const words = field(was.form)
    words.focus()
    words.setSelectionRange(words.value.length, words.value.length)
  } else was.form.closest("details").querySelector("summary").focus()
}

// Before anybody else hears of it.
document.addEventListener("submit", event => {
  const form = event.target
  const kind = kindOf(form)
  if (form === passing || form.method !== "post" || form.closest("#noting")) return
  // Whether these words arrived is being asked.
  if ("asking" in form.dataset) return event.preventDefault(), event.stopImmediatePropagation()
  if (!held && (!kind || !bar || !wanted.on)) return
  // A second press means it.
  if (held?.form === form) return void drop()
  event.preventDefault()
  event.stopImmediatePropagation()
  if (!kind) {
    // What was sent before goes before: who hands back, or signs out, has said it by then.
    const { submitter } = event
    return flush().catch(() => {}).finally(() => {
      passing = form
      form.requestSubmit(submitter)
      passing = null
    })
  }
  // Who writes on does not mean to close; who closes has said what waits.
  if (kind === "say") drop()
  else release()
  hold(form, kind)
}, true)

bar?.querySelector("button").addEventListener("click", undo)
document.addEventListener("keydown", event => {
  if (!held || event.isComposing || event.shiftKey || event.altKey) return
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault()
    undo()
  }
})

// The page shows something else meanwhile: a colleague took over, or it was closed. The words stay as a draft.
document.addEventListener("htmx:after:swap", () => {
  if (!held || held.form.isConnected) return
  const again = held.kind === "close" && one("#hand form[action$='/close']")
  if (again) {
    held.form = again
    return
  }
  const { kind } = drop()
  announce(kind === "say" ? "Not sent. Your words are kept." : "Not closed.")
})

/** Sends what waits without a page to show the answer to. Words are asked for by the next page. */
function flush() {
  const was = drop()
  if (!was) return null
  const body = new URLSearchParams(new FormData(was.form)).toString()
  if (was.kind === "say") {
    const { conversation, customer } = one("#composer").dataset
    const sent = { action: was.form.action, body, words: field(was.form).value, customer, at: Date.now() }
    storage(kept => kept.setItem(prefix + conversation + SENT, JSON.stringify(sent)))
  }
  return post(was.form.action, body)
}
const post = (action, body) =>
  fetch(action, { method: "POST", keepalive: true, headers: { "content-type": "application/x-www-form-urlencoded", "hx-request": "true" }, body })
addEventListener("pagehide", () => { flush()?.catch(() => {}) })

// Words that went as a page was left: under their own id they count once, so asking again only tells what became of them.
async function arrived(name) {
  const sent = storage(kept => JSON.parse(kept.getItem(name)))
  storage(kept => kept.removeItem(name))
  if (!sent || Date.now() - sent.at > FRESH) return
  const conversation = name.slice(prefix.length, -SENT.length)
  const here = one("#composer")?.dataset.conversation === conversation ? one("#composer #text") : null
  if (here) {
    here.readOnly = true
    here.form.dataset.asking = ""
  }
  let answer = null
  try {
    answer = await post(sent.action, sent.body)
  } catch { /* nobody knows: the words are kept */ }
  if (here) {
    here.readOnly = false
    delete here.form.dataset.asking
  }
  if (answer?.ok) {
    storage(kept => { if (kept.getItem(prefix + conversation) === sent.words) kept.removeItem(prefix + conversation) })
    if (here?.value === sent.words) here.value = ""
    return
  }
  // Sent again from here, they count once.
  if (here) here.form.elements.client_id.value = new URLSearchParams(sent.body).get("client_id")
  missed(sent, conversation)
}

/** Says that words did not arrive, and where they are. */
function missed(sent, conversation) {
  const notice = document.createElement("p")
  notice.className = "notice bad missed"
  notice.setAttribute("role", "alert")
  const link = document.createElement("a")
  link.href = `/operator/conversations/${conversation}?view=all`
  link.textContent = sent.customer
  notice.append("What you wrote to ", link, " may not have been sent. Your words are kept there.")
  const place = one("#undo")
  if (place) place.before(notice)
  else one("#main")?.prepend(notice)
}
const names = storage(kept => Object.keys(kept).filter(name => name.startsWith(prefix) && name.endsWith(SENT))) ?? []
for (const name of names) arrived(name)
