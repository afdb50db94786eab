// A figure over time: small ones beside a number, and large ones with axes.

import uPlot from "../vendor/uplot.js"
import { inWords } from "./course.js"
import { LOCALE } from "./words.js"

const SPARK = { width: 80, height: 20 }
const HEIGHT = 110
const LEAST = 200 // until it is known how wide it may be

/** A small plot without axes: an element, and `show(times, values)`. */
export function spark() {
  const home = document.createElement("span")
  const plot = new uPlot({
    ...SPARK,
    axes: [{ show: false }, { show: false }],
    cursor: { show: false },
    legend: { show: false },
    padding: [1, 0, 1, 0],
    scales: { y: { range: fromZero } },
    series: [{}, line()],
  }, [[], []], home)
  return { home, show: (times, values) => plot.setData([times, values]) }
}

/** A plot with axes and, in its caption, the latest value or the one that is pointed at. */
export function plot(title, unit) {
  const home = document.createElement("figure")
  const caption = document.createElement("figcaption")
  const value = document.createElement("output")
  caption.append(title, value)
  home.append(caption)
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } }
  const made = new uPlot({
    width: LEAST,
    height: HEIGHT,
    axes: [
      { ...axis, space: 70, size: 24, values: times },
      { ...axis, size: 62, space: 35, values: (_, ticks) => ticks.map(tick => inWords(tick, unit)) },
    ],
    cursor: { y: false, drag: { x: false, y: false } },
    legend: { show: false },
    scales: { y: { range: fromZero } },
    series: [{}, { ...line(), fill: colour("--accent-soft") }],
    hooks: { setCursor: [say] },
  }, [[], []], home)
  new ResizeObserver(() => fit()).observe(home)

  function fit() {
    const style = getComputedStyle(home)
    const width = home.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
    if (width > 0 && width !== made.width) made.setSize({ width, height: HEIGHT })
  }

  function say() {
    const [times, values] = made.data
    const place = made.cursor.idx
    if (place === null || place === undefined) {
      value.textContent = inWords(values.findLast(one => one !== null), unit)
    } else {
      const time = new Date(times[place] * 1000).toLocaleTimeString(LOCALE)
      value.textContent = `${time}: ${inWords(values[place], unit)}`
    }
  }

  return {
    home,
    show(times, values) {
      made.setData([times, values])
      say()
    },
  }
}

function line() {
  return { stroke: colour("--accent"), width: 1.5, points: { show: isAlone, size: 3, fill: colour("--accent") }, spanGaps: false }
}

/** Whether there is too little for a line. */
function isAlone(made, series) {
  return made.data[series].filter(value => value !== null).length < 3
}

function times(made, ticks) {
  const long = made.data[0].at(-1) - made.data[0][0] > 2 * 86400
  const form = long ? { weekday: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" }
  return ticks.map(tick => new Date(tick * 1000).toLocaleString([], form))
}

function fromZero(_, least, most) {
  return [0, Math.max(most || 0, 1) * 1.05]
}

function colour(name) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name)
}
