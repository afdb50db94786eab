// A page whose parts are taken from the page at data-page: what answers a form has no address of its own.

import { repeat, takeParts } from "./live.js"

const PAUSE = 3000
const { page } = document.querySelector("[data-page]").dataset

setTimeout(repeat, PAUSE, () => takeParts(page), PAUSE)
