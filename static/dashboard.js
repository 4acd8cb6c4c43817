// Comfort for the dashboard: theme, scrolling, what is read out, and whether the page is live. Every page works without it.

const one = selector => document.querySelector(selector)
const store = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name)
    localStorage.setItem(name, value)
  } catch { /* no storage: the default holds */ }
  return null
}

// Theme: as the system says, unless chosen here.
const themes = ["auto", "light", "dark"]
let theme = themes.includes(store("beckon-theme")) ? store("beckon-theme") : "auto"
const showTheme = () => {
  if (theme === "auto") delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  const button = one("#theme")
  if (button) {
    button.hidden = false
    button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme]
    button.setAttribute("aria-label", `Theme: ${theme}`)
  }
}
showTheme()
one("#theme")?.addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length]
  store("beckon-theme", theme)
  showTheme()
})

// On a small screen the places scroll sideways: the one we are at is in view.
one(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" })

// The thread stays at its end unless somebody scrolled up to read.
const thread = one("#thread")
const atEnd = () => thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80
let follow = true
if (thread) {
  const aim = location.hash && document.getElementById(location.hash.slice(1))
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

// Whether the page is live. A stream that broke says so, unless it comes back at once; one that was refused for want of a
// session leads to the sign-in, and back here afterwards. What was typed is kept by the composer.
let silent
const away = shown => {
  clearTimeout(silent)
  const notice = one("#away")
  if (!notice) return
  if (shown) silent = setTimeout(() => { notice.hidden = false }, 3000)
  else notice.hidden = true
}
document.addEventListener("htmx:sse:after:connection", () => away(false))
document.addEventListener("htmx:sse:after:message", () => away(false))
for (const name of ["htmx:sse:error", "htmx:sse:close"]) {
  document.addEventListener(name, event => {
    if ([401, 404].includes(event.detail?.status)) location.reload()
    else if (!document.hidden) away(true)
  })
}
// A stream that could not even begin is tried again; the page's cursor says from where.
const live = one("#live")
const begin = () => window.htmx.ajax("GET", live.getAttribute("hx-sse:connect"), { source: live })
for (const name of ["htmx:error", "htmx:response:error"]) {
  live?.addEventListener(name, event => {
    if (event.detail.ctx?.response?.status === 401) return
    away(true)
    setTimeout(begin, 5000 + Math.random() * 5000)
  })
}
// The server says that this page shows what is no longer so.
document.addEventListener("reload", () => location.reload())
// A page that the browser kept whole, from before another page was seen, is loaded anew.
addEventListener("pageshow", event => { if (event.persisted) location.reload() })

// The tab says how many need a person, also while another one is in front.
const title = document.title
const count = () => {
  const needs = parseInt(one("#needs")?.textContent ?? "", 10)
  document.title = needs > 0 ? `(${needs}) ${title}` : title
}
count()
document.addEventListener("htmx:after:swap", count)

// The flow's tail holds still while somebody reads it; what was missed is loaded afterwards.
const pause = one("#pause")
if (pause) {
  let paused = false
  pause.hidden = false
  pause.addEventListener("click", () => {
    paused = !paused
    pause.setAttribute("aria-pressed", String(paused))
    pause.firstChild.textContent = paused ? "Go on " : "Pause "
    if (!paused) location.reload()
  })
  document.addEventListener("htmx:sse:before:message", event => { if (paused) event.preventDefault() })
}

// Lines to paste.
for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) break
  button.hidden = false
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent)
    one("#announce").textContent = "Copied."
    const label = button.firstChild
    label.textContent = "Copied"
    setTimeout(() => { label.textContent = "Copy" }, 2000)
  })
}
