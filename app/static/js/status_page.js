// The status page: what the server has rendered is taken up again every few seconds, plots stay.

import { courseOf, total, totalLoad } from "./course.js"
import { repeat, takeParts } from "./live.js"
import { plot, spark } from "./plot.js"
import { t } from "./words.js"

const PAGE_PAUSE = 5000
const COURSE_PAUSE = 15000
const TOTALS = [
  [t("CPU, all services"), "%", course => total(course, "percent_cpu")],
  [t("Memory, all services"), "B", course => total(course, "resident_size")],
  [t("Sage sessions"), "", course => total(course, "sessions")],
  [t("Open pages"), "", course => total(course, "browsers")],
  [t("Load of all hosts"), "", totalLoad],
]

const section = document.querySelector(".course")
const sparks = new Map() // by place and figure
const totals = TOTALS.map(([title, unit, of]) => ({ ...plot(title, unit), of }))
let hours = Number(section.querySelector("[aria-pressed=true]").dataset.hours)
let course = null

section.querySelector(".plots").append(...totals.map(({ home }) => home))
section.querySelector(".hours").addEventListener("click", event => {
  if (!event.target.dataset.hours) return
  hours = Number(event.target.dataset.hours)
  for (const button of section.querySelectorAll(".hours button")) {
    button.setAttribute("aria-pressed", String(button === event.target))
  }
  takeCourse()
})

async function takePage() {
  await takeParts("/status")
  drawSparks()
}

async function takeCourse() {
  const asked = hours
  const answer = await fetch(`/status/course?hours=${asked}`)
  if (!answer.ok || asked !== hours) return // with the database away the last one stays
  course = await answer.json()
  if (asked !== hours) return
  section.hidden = false
  for (const { show, of } of totals) show(course.times, of(course))
  drawSparks()
}

/** Put each small plot where the page has a place for it. */
function drawSparks() {
  if (!course) return
  for (const place of document.querySelectorAll(".spark")) {
    const { place: of, figure } = place.dataset
    const values = courseOf(course, of, figure)
    if (!values) continue
    const key = `${of} ${figure}`
    if (!sparks.has(key)) sparks.set(key, spark())
    const found = sparks.get(key)
    if (found.home.parentNode !== place) place.replaceChildren(found.home)
    if (found.shown !== course) found.show(course.times, values)
    found.shown = course
  }
}

repeat(takePage, PAGE_PAUSE)
repeat(takeCourse, COURSE_PAUSE)
