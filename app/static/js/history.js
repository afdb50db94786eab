// The history page: moving the slider shows the worksheet of that moment at once.

const slider = document.getElementById("slider")

if (slider) {
  const range = slider.elements.at
  slider.querySelector("button").hidden = true
  let wanted = range.value

  range.addEventListener("input", async () => {
    wanted = range.value
    const url = new URL(slider.action)
    url.searchParams.set("at", wanted)
    const response = await fetch(url).catch(() => null)
    if (!response?.ok) return slider.submit()
    const page = new DOMParser().parseFromString(await response.text(), "text/html")
    if (range.value !== wanted || url.searchParams.get("at") !== wanted) return
    document.getElementById("revision").replaceWith(page.getElementById("revision"))
    history.replaceState(null, "", url)
  })
}
