// Keys for the main tasks, the list of them, and the picker that finds pages, people, replies and things to do.

const one = selector => document.querySelector(selector)
const all = selector => [...document.querySelectorAll(selector)]
const seen = element => element?.checkVisibility({ visibilityProperty: true })

// Single keys can be switched off, for those who speak to their computer.
const single = {
  get on() { try { return localStorage.getItem("beckon-keys") !== "off" } catch { return true } },
  set on(value) { try { localStorage.setItem("beckon-keys", value ? "on" : "off") } catch { /* as long as the page */ } },
}
const hints = () => {
  for (const hint of all(".keyhint")) hint.hidden = !single.on
  for (const later of all("#saved, #find, #show-keys")) later.hidden = false
}
hints()
document.addEventListener("htmx:after:swap", hints)
const box = one("#single-keys")
if (box) {
  box.checked = single.on
  box.addEventListener("change", () => { single.on = box.checked; hints() })
}

// The list.
const step = by => {
  const rows = all("a.row").filter(seen)
  if (!rows.length) return
  const at = rows.indexOf(document.activeElement)
  const from = at >= 0 ? at : rows.findIndex(row => row.hasAttribute("aria-current"))
  const to = from < 0 && by < 0 ? 0 : from + by
  rows[Math.min(rows.length - 1, Math.max(0, to))].focus()
}

/** Presses the button that carries a key; a menu opens with its first field in focus. */
function press(key) {
  const button = all(`[data-key="${key}"]`).find(seen)
  if (!button) return false
  run(button)
  return true
}
function run(button) {
  const menu = button.closest("details")
  const fold = menu && button.matches("summary")
  // A popover gives the focus back to where it was.
  button.focus()
  // What is open already is gone to, not closed.
  if (!fold || !menu.open) button.click()
  if (fold) requestAnimationFrame(() => menu.querySelector("textarea, form .btn")?.focus())
}

// The picker: one field over one list, for commands and for saved replies.
const picker = one("#picker")
const field = one("#picker-input")
const list = one("#picker-list")
let source, last = 0
const options = () => [...list.querySelectorAll("[role=option]:not([hidden])")]
const chosen = () => list.querySelector("[aria-selected=true]")
function choose(option) {
  chosen()?.setAttribute("aria-selected", "false")
  option?.setAttribute("aria-selected", "true")
  option?.scrollIntoView({ block: "nearest" })
  if (option) field.setAttribute("aria-activedescendant", option.id)
  else field.removeAttribute("aria-activedescendant")
}
async function look() {
  const mine = ++last
  try {
    await source.fill(field.value.trim(), () => mine === last)
  } catch {
    if (mine === last) list.replaceChildren()
  }
  if (mine !== last) return
  choose(options()[0])
  one("#picker-none").textContent = options().length ? "" : source.none
}
async function fetched(address) {
  const answer = await fetch(address, { headers: { "hx-request": "true" } })
  if (answer.status === 401) location.reload()
  return answer.ok ? await answer.text() : ""
}
// Where what is chosen is put. A field that loses the focus to a dialog while a sign is typed into it stands at its beginning
// afterwards, so its caret is kept from before.
let into, caret
function open(what, target) {
  source = what
  into = target
  caret = target && [target.selectionStart, target.selectionEnd]
  field.value = ""
  field.placeholder = what.title
  picker.setAttribute("aria-label", what.title)
  list.replaceChildren()
  picker.showModal()
  look()
}

function insert(words) {
  // A colleague took over meanwhile: there is nothing to write into.
  if (!into?.isConnected) return
  into.setRangeText(words, ...caret, "end")
  into.dispatchEvent(new Event("input", { bubbles: true }))
  into.focus()
}

// Things to do on this page stand before what the server finds.
const commands = {
  title: "Go to, find or do",
  none: "Nothing is called so.",
  async fill(typed, current) {
    const found = await fetched(`/operator/palette?q=${encodeURIComponent(typed)}`)
    if (!current()) return
    list.innerHTML = found
    const acts = all("[data-command]").filter(seen).filter(act => act.dataset.command.toLowerCase().includes(typed.toLowerCase()))
    list.prepend(...acts.map((act, index) => {
      const option = document.createElement("li")
      Object.assign(option, { id: `act-${index}`, act })
      option.setAttribute("role", "option")
      option.setAttribute("aria-selected", "false")
      const label = document.createElement("b")
      const kind = document.createElement("span")
      label.textContent = act.dataset.command
      kind.className = "kind dim3"
      kind.textContent = "here"
      option.append(label, kind)
      return option
    }))
  },
  take(option) {
    if (option.dataset.href) location.assign(option.dataset.href)
    else run(option.act)
  },
}
/** Fills the list once, and shows what has the words that were typed. */
const filled = address => async (typed, current) => {
  if (!list.childElementCount) {
    const found = await fetched(address)
    if (!current()) return
    list.innerHTML = found
  }
  for (const option of list.children) option.hidden = !option.textContent.toLowerCase().includes(typed.toLowerCase())
}
const replies = {
  title: "Find a saved reply",
  none: "No saved reply has these words. They are written under Saved replies.",
  fill: filled("/operator/replies/pick"),
  take(option) {
    insert(option.dataset.words.replaceAll("{name}", one("#composer").dataset.customer))
  },
}
const colleagues = {
  title: "Name a colleague",
  none: "No colleague is called so.",
  fill: filled("/operator/colleagues/pick"),
  take(option) {
    insert(`${option.dataset.name} `)
  },
}
function take(option) {
  if (!option) return
  picker.close()
  source.take(option)
}
field?.addEventListener("input", look)
field?.addEventListener("keydown", event => {
  if (event.isComposing) return
  const shown = options()
  const at = shown.indexOf(chosen())
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key]
  if (to !== undefined && (event.key.startsWith("Arrow") || event.ctrlKey)) {
    event.preventDefault()
    choose(shown[(to + shown.length) % shown.length])
  }
  if (event.key === "Enter") {
    event.preventDefault()
    take(chosen())
  }
})
list?.addEventListener("click", event => take(event.target.closest("[role=option]")))
picker?.addEventListener("click", event => { if (event.target === picker) picker.close() })
one("#show-keys")?.addEventListener("click", () => one("#keys").showModal())
one("#find")?.addEventListener("click", () => open(commands))
document.addEventListener("click", event => { if (event.target.closest("#saved")) open(replies, one("#text")) })

// `@` at the beginning of a word of a note offers colleagues; Escape leaves it as it was typed.
document.addEventListener("input", ({ target, data, isComposing }) => {
  if (data !== "@" || isComposing || !target.matches("#team-note, #note, #pass-note")) return
  const before = target.value.slice(0, target.selectionStart - 1)
  if (/[\p{L}\p{N}_]$/u.test(before)) return
  open(colleagues, target)
})

// What Escape folds again.
const foldable = "details.menu[open], #noting details[open], .narrowed details[open]"

// All keys in one place. G waits a moment for the page that is meant.
let going = 0
const acts = {
  j: () => step(1),
  k: () => step(-1),
  r: () => one("#text")?.focus(),
  a: () => press("a"),
  A: () => press("A"),
  d: () => press("d"),
  n: () => press("n"),
  p: () => press("p"),
  m: () => press("m"),
  l: () => press("l"),
  s: () => press("s"),
  e: () => press("e"),
  c: () => press("c"),
  f: () => one("#with-label")?.focus(),
  "/": () => one("#q")?.focus(),
  "?": () => one("#keys").showModal(),
  g: () => { going = Date.now() },
}
document.addEventListener("keydown", event => {
  if (event.isComposing || event.defaultPrevented) return
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.shiftKey && !event.altKey) {
    event.preventDefault()
    if (!one("dialog[open]")) open(commands)
    return
  }
  const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")
  if (event.key === "Escape") {
    // A dialog closes by itself; what is open below it stays.
    if (one("dialog[open]")) return
    const menu = event.target.closest?.(foldable) ?? one(foldable)
    if (menu) {
      menu.open = false
      menu.querySelector("summary").focus()
    // A popover closes by itself, and gives the focus back.
    } else if (typing && !event.target.closest("[popover]")) event.target.blur()
    return
  }
  if (typing) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      event.target.form?.requestSubmit()
    }
    if (event.key === "/" && event.target.id === "text" && !event.target.value) {
      event.preventDefault()
      open(replies, event.target)
    }
    return
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !single.on || one("dialog[open]")) return
  const place = Date.now() - going < 1500 && all("[data-go]").find(link => link.dataset.go === event.key)
  going = 0
  if (place) {
    event.preventDefault()
    place.click()
    return
  }
  if (event.key === " " && one("#pause") && !event.target.closest("a, button, summary, [tabindex='0']")) {
    event.preventDefault()
    one("#pause").click()
    return
  }
  const act = acts[event.key]
  if (act && act() !== false) event.preventDefault()
})
