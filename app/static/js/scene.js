// 3D scenes: frames with three.js, of which only a few draw at a time.
//
// A browser gives a page a handful of WebGL contexts and takes the oldest away when there
// are more. So a scene starts when it comes near the window; when too many draw, the one
// that has been out of sight longest becomes a picture of itself, and goes on from the
// same point of view when it is seen again.

import { element } from "./dom.js"
import { frame, RELEASE, tell } from "./frame.js"
import { t } from "./words.js"

const DRAWING = 6 // scenes at a time
const PATIENCE = 1000 // ms that a scene has for its picture
const PICTURE = /^data:image\/png;base64,[A-Za-z0-9+/=]+$/
const LARGEST = 20_000_000 // characters of a picture
const TITLE = t("3D scene: drag or press arrow keys to rotate, + and - to zoom")

const scenes = new WeakMap() // by element
let drawing = [] // the last one seen is last

const observer = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) scenes.get(target).show(isIntersecting)
}, { rootMargin: "200px" })

/** The element of a scene: a page of HTML that Sage has made. */
export function showScene(html, title) {
  return new Scene(html, title).element
}

class Scene {
  #html
  #title
  #frame = null
  #view = null
  #seen = false
  #settle = null // resolves the wait for a picture

  constructor(html, title) {
    this.#html = html
    this.#title = title ? `${title}. ${TITLE}` : TITLE
    this.element = element("div", { class: "scene" })
    scenes.set(this.element, this)
    observer.observe(this.element)
  }

  get idle() {
    return !this.#seen
  }

  show(seen) {
    this.#seen = seen
    if (!this.element.isConnected) this.#stop()
    else if (seen) this.#start()
  }

  #start() {
    drawing = [...drawing.filter(scene => scene !== this && scene.element.isConnected), this]
    if (!this.#frame) {
      this.#frame = frame({
        path: `/output/scene?release=${RELEASE}`,
        title: this.#title,
        message: { html: this.#html, view: this.#view },
        heard: said => this.#hear(said),
      })
      this.#frame.loading = "eager"
      this.element.replaceChildren(this.#frame)
    }
    if (drawing.length > DRAWING) drawing.find(scene => scene.idle)?.rest()
  }

  /** Become a picture. */
  async rest() {
    drawing = drawing.filter(scene => scene !== this)
    const { picture, view } = await new Promise(resolve => {
      this.#settle = resolve
      tell(this.#frame, { rest: true })
      setTimeout(() => resolve({}), PATIENCE)
    })
    if (drawing.includes(this)) return // seen again meanwhile
    if (isView(view)) this.#view = view
    this.#frame = null
    this.element.replaceChildren(isPicture(picture)
      ? element("img", { src: picture, alt: this.#title })
      : element("button", { type: "button", text: t("Show the scene"), onclick: () => this.#start() }))
  }

  #stop() {
    drawing = drawing.filter(scene => scene !== this)
    this.#frame?.remove()
    this.#frame = null
  }

  #hear({ picture, view, saved, failed, lost }) {
    if (failed) this.#fail()
    else if (lost) this.#lose()
    else if (saved) save(saved)
    else this.#settle?.({ picture, view })
  }

  #fail() {
    this.#stop()
    observer.unobserve(this.element)
    this.element.classList.add("missing")
    this.element.replaceChildren(element("p", {
      text: t("This scene needs WebGL, which this browser does not have or has switched off. show(…, viewer='tachyon') gives a picture instead."),
    }))
  }

  /** The browser took its context away. */
  #lose() {
    this.#stop()
    this.element.replaceChildren(element("button", {
      type: "button", text: t("Show the scene again"), onclick: () => this.#start(),
    }))
  }
}

function isPicture(picture) {
  return typeof picture === "string" && picture.length < LARGEST && PICTURE.test(picture)
}

function isView(view) {
  return Array.isArray(view) && view.length === 7 && view.every(Number.isFinite)
}

/** A picture as a file, if the person has just asked for it. */
function save(picture) {
  if (!isPicture(picture) || navigator.userActivation?.isActive === false) return
  element("a", { href: picture, download: "scene.png" }).click()
}
