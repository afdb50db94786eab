// Parts of a page that the server renders again and again, every few seconds while somebody
// looks: elements with data-live, as the page at data-page has them. What people fill in stands
// outside of them.

import { t } from "./words.js"

const PAUSE = 3000
const connection = document.querySelector("#connection")

async function take() {
  const parts = document.querySelectorAll("[data-live]")
  const answer = await fetch(parts[0].dataset.page, { headers: { Accept: "text/html" } })
  if (!answer.ok) throw new Error(t("the server answers {status}", answer))
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html")
  for (const part of parts) {
    const news = fresh.querySelector(`[data-live="${part.dataset.live}"]`)
    if (news && news.innerHTML !== part.plain) replace(part, news)
  }
}

/** Put `news` in place of what is there; a button that has the focus keeps it. */
function replace(part, news) {
  part.plain = news.innerHTML
  const focused = part.contains(document.activeElement) ? document.activeElement.value : ""
  part.replaceChildren(...document.adoptNode(news).childNodes)
  if (focused) part.querySelector(`button[value="${CSS.escape(focused)}"]`)?.focus()
}

async function repeat() {
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, PAUSE))
    while (document.hidden) {
      await new Promise(resolve => document.addEventListener("visibilitychange", resolve, { once: true }))
    }
    try {
      await take()
      connection.textContent = ""
    } catch (error) {
      connection.textContent = t("not up to date: {why}", { why: error.message })
    }
  }
}

repeat()
