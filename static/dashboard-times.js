// Times as the clock on this wall shows them. The server writes UTC; without this script that is what stands there.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
const two = number => String(number).padStart(2, "0")
const day = at => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
const clock = at => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`

function localise(place) {
  for (const time of place.querySelectorAll("time[datetime]:not(.here)")) {
    const at = new Date(time.dateTime.replace(" ", "T"))
    if (Number.isNaN(at.getTime())) continue
    const here = `${day(at)} ${clock(at)}`
    time.title = `${here}, ${time.dateTime.slice(0, 19)} UTC`
    time.classList.add("here")
    if (time.classList.contains("ago")) continue
    // Under the heading of a day only another day has to be named.
    const heading = time.closest(".thread.flat")?.previousElementSibling?.dataset.day
    const short = time.classList.contains("clock") && (!heading || heading === day(at))
    time.textContent = short ? clock(at) : time.classList.contains("clock") ? here.slice(5) : here
  }
}

localise(document)
const told = document.querySelector("#zone")
if (told) told.textContent = `Times are ${zone.replaceAll("_", " ")}`
// What arrives later, and what a morph wrote back as UTC.
document.addEventListener("htmx:after:swap", () => localise(document))
const thread = document.querySelector("#thread")
if (thread) new MutationObserver(() => localise(thread)).observe(thread, { childList: true, subtree: true })
