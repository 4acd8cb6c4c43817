// Comfort for the dashboard: keys, scrolling, theme. Every page works without it.

const store = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name)
    localStorage.setItem(name, value)
  } catch { /* no storage: the default holds */ }
  return null
}
const one = selector => document.querySelector(selector)

// Theme: as the system says, unless chosen here.
const themes = ["auto", "light", "dark"]
const theme = { now: themes.includes(store("beckon-theme")) ? store("beckon-theme") : "auto" }
const showTheme = () => {
  if (theme.now === "auto") delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme.now
  const button = one("#theme")
  if (button) { button.hidden = false; button.textContent = `Theme: ${theme.now}` }
}
showTheme()
one("#theme")?.addEventListener("click", () => {
  theme.now = themes[(themes.indexOf(theme.now) + 1) % themes.length]
  store("beckon-theme", theme.now)
  showTheme()
})

// The thread stays at its end unless somebody scrolled up to read.
const thread = one("#thread")
const atEnd = () => thread && thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80
let follow = true
if (thread) {
  const aim = location.hash && one(location.hash)
  if (!aim) thread.scrollTop = thread.scrollHeight
  thread.addEventListener("scroll", () => { follow = atEnd() }, { passive: true })
  new MutationObserver(changes => {
    if (follow) thread.scrollTop = thread.scrollHeight
    for (const change of changes) for (const node of change.addedNodes) arrived(node)
  }).observe(thread, { childList: true, subtree: true })
}

// A finished message is read out once; words on their way are not.
function arrived(node) {
  if (!(node instanceof HTMLElement) || node.parentElement?.id !== "spine") return
  node.classList.add("new")
  const text = node.querySelector(".text")?.textContent
  if (text && node.classList.contains("words")) one("#announce").textContent = `${node.dataset.who}: ${text}`
}

// The server says that this page shows what is no longer so.
document.addEventListener("reload", () => location.reload())

document.addEventListener("htmx:after:swap", () => {
  const text = one("#composer textarea#text")
  if (text && document.activeElement === document.body) text.focus()
  hints()
})

// Keys. Single ones can be switched off, for those who speak to their computer.
const single = () => store("beckon-keys") !== "off"
const hints = () => document.querySelectorAll(".keyhint").forEach(hint => { hint.hidden = false })
hints()
const keys = one("#keys")
const box = one("#single-keys")
if (box) {
  box.checked = single()
  box.addEventListener("change", () => store("beckon-keys", box.checked ? "on" : "off"))
}
const step = by => {
  const rows = [...document.querySelectorAll("a.row")]
  if (!rows.length) return
  const at = rows.indexOf(document.activeElement)
  const from = at >= 0 ? at : rows.findIndex(row => row.hasAttribute("aria-current"))
  rows[Math.min(rows.length - 1, Math.max(0, from + by))].focus()
}
document.addEventListener("keydown", event => {
  if (event.isComposing) return
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]")
  if (typing) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      event.target.form?.requestSubmit()
    }
    if (event.key === "Escape") event.target.blur()
    return
  }
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach(menu => { menu.open = false })
  if (event.ctrlKey || event.metaKey || event.altKey || !single()) return
  const act = {
    j: () => step(1),
    k: () => step(-1),
    r: () => one("#composer textarea#text")?.focus(),
    "/": () => one("#q")?.focus(),
    "?": () => keys?.showModal(),
  }[event.key]
  if (act) { event.preventDefault(); act() }
})
