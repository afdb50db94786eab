// Terminal text as styled runs: ANSI colours become class names, so that the style sheet
// keeps them legible in light and dark. Pure.

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
// CSI … final byte, OSC … BEL or ST, and two-character escapes
const ESCAPE = /\x1b(?:\[([0-9;:]*)([ -/]*[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHMNOZ])/g
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g

/** Control characters in the form that Unicode has to show them: NUL becomes ␀. */
export function visible(text) {
  return text.replace(CONTROL, c => String.fromCharCode(c === "\x7f" ? 0x2421 : 0x2400 + c.charCodeAt(0)))
}

/** The style that `style` becomes after the SGR parameters `codes` ("1;31"). */
function restyle(style, codes) {
  const numbers = codes.split(/[;:]/).map(Number)
  let { foreground, background, bold, italic, underline } = style
  for (let n = 0; n < numbers.length; n++) {
    const code = numbers[n]
    if (code === 0) foreground = background = bold = italic = underline = undefined
    else if (code === 1) bold = true
    else if (code === 3) italic = true
    else if (code === 4) underline = true
    else if (code === 22) bold = undefined
    else if (code === 23) italic = undefined
    else if (code === 24) underline = undefined
    else if (code >= 30 && code <= 37) foreground = NAMES[code - 30]
    else if (code >= 90 && code <= 97) foreground = NAMES[code - 90]
    else if (code >= 40 && code <= 47) background = NAMES[code - 40]
    else if (code >= 100 && code <= 107) background = NAMES[code - 100]
    else if (code === 39) foreground = undefined
    else if (code === 49) background = undefined
    else if (code === 38 || code === 48) {
      const indexed = numbers[n + 1] === 5
      const colour = indexed ? nameOfIndex(numbers[n + 2]) : nameOf(numbers.slice(n + 2, n + 5))
      if (code === 38) foreground = colour
      else background = colour
      n += indexed ? 2 : 4
    }
  }
  return { foreground, background, bold, italic, underline }
}

/** Class names of a style, "" for plain text. */
export function classes({ foreground, background, bold, italic, underline }) {
  return [
    foreground && `ansi-${foreground}`,
    background && `ansi-on-${background}`,
    bold && "ansi-bold",
    italic && "ansi-italic",
    underline && "ansi-underline",
  ].filter(Boolean).join(" ")
}

/** `text` as [{text, classes}], beginning in `style`; with the style it ends in. */
export function runs(text, style = {}) {
  const found = []
  const add = piece => piece && found.push({ text: visible(piece), classes: classes(style) })
  let last = 0
  for (const match of text.matchAll(ESCAPE)) {
    add(text.slice(last, match.index))
    last = match.index + match[0].length
    if (match[2] === "m") style = restyle(style, match[1])
  }
  add(text.slice(last))
  return { runs: found, style }
}

/** The name among the eight that comes nearest to one of the 256 indexed colours. */
function nameOfIndex(index) {
  if (!(index >= 0 && index < 256)) return undefined
  if (index < 16) return NAMES[index % 8]
  if (index >= 232) return index < 244 ? "black" : "white"
  const cube = index - 16
  return nameOf([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(step => step * 51))
}

function nameOf([red = 0, green = 0, blue = 0]) {
  const brightest = Math.max(red, green, blue)
  if (brightest - Math.min(red, green, blue) < 40) return brightest < 128 ? "black" : "white"
  const bit = value => value > brightest * 0.6 ? 1 : 0
  return NAMES[bit(red) + 2 * bit(green) + 4 * bit(blue)]
}
