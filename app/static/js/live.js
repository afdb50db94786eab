// Parts of a page that the server renders again and again, every few seconds while somebody
// looks: elements with data-live. What people fill in stands outside of them.

import { t } from "./words.js"

/** Put the parts of this page as the page at `address` has them in place of what is there. */
export async function takeParts(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } })
  if (!answer.ok) throw new Error(t("the server answers {status}", answer))
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html")
  for (const part of document.querySelectorAll("[data-live]")) {
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

/** Take something again and again, while somebody looks; the page says when that fails. */
export async function repeat(take, pause) {
  const connection = document.querySelector("#connection")
  for (;;) {
    try {
      await take()
      connection.textContent = ""
    } catch (error) {
      connection.textContent = t("not up to date: {why}", { why: error.message })
    }
    await new Promise(resolve => setTimeout(resolve, pause))
    while (document.hidden) {
      await new Promise(resolve => document.addEventListener("visibilitychange", resolve, { once: true }))
    }
  }
}
