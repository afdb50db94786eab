// What the status page plots, from the answer of /status/course. Pure.

import { figure, t } from "./words.js"
/** The course of one figure of a service ("host/name") or of a host's load; null if there is none. */
export function courseOf(course, place, figure) {
  const found = figure === "load" ? course.hosts[place] : course.services[place]?.[figure]
  return found?.some(value => value !== null) ? found : null
}

/** The sum of a figure over all services at each time; null where none has it. */
export function total(course, figure) {
  return course.times.map((_, part) => sum(
    Object.values(course.services).map(service => service[figure][part]),
  ))
}

/** The sum of the loads of all hosts. */
export function totalLoad(course) {
  return course.times.map((_, part) => sum(Object.values(course.hosts).map(loads => loads[part])))
}

/** A value with its unit, as people read it: "%", "B" (bytes) or "" for a number. */
export function inWords(value, unit) {
  if (value === null || value === undefined) return "–"
  if (unit === "%") return `${figure(value, value < 10 ? 1 : 0)} %`
  if (unit !== "B") return figure(value, Number.isInteger(value) ? 0 : 2)
  const units = [t("bytes"), "KB", "MB", "GB", "TB"]
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(value, 1)) / 3))
  const scaled = value / 1000 ** power
  return `${figure(scaled, power && scaled < 100 ? 1 : 0)} ${units[power]}`
}

function sum(values) {
  const known = values.filter(value => value !== null && value !== undefined)
  return known.length ? known.reduce((one, other) => one + other, 0) : null
}
