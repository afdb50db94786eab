// Bundles the pinned packages into modules that browsers load as they are, with the
// licence of every package that went in. Usage: node build.mjs DIRECTORY
import { build } from "esbuild"
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises"
import path from "node:path"

const target = process.argv[2]
await rm(target, { recursive: true, force: true })
await mkdir(path.join(target, "licences"), { recursive: true })

const { metafile } = await build({
  entryPoints: {
    codemirror: "./codemirror.js", dompurify: "dompurify", katex: "katex", marked: "marked",
    protobuf: "./protobuf.js", uplot: "uplot",
  },
  outdir: target,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
})

const packages = Object.keys(metafile.inputs)
  .map(file => file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
for (const name of new Set(packages.filter(Boolean))) {
  const home = path.join("node_modules", name)
  const { version } = JSON.parse(await readFile(path.join(home, "package.json"), "utf8"))
  const file = path.join(target, "licences", name.replace("@", "").replace("/", "-") + ".txt")
  await writeFile(file, `${name} ${version}\n\n${await licence(name, home)}`)
}

// Every browser that knows import maps knows woff2: the older formats stay out
const css = await readFile("node_modules/katex/dist/katex.min.css", "utf8")
await writeFile(
  path.join(target, "katex.css"),
  css.replace(/,url\([^)]+\.(?:woff|ttf)\) format\("[a-z]+"\)/g, ""),
)
await cp("node_modules/uplot/dist/uPlot.min.css", path.join(target, "uplot.css"))
const fonts = "node_modules/katex/dist/fonts"
for (const font of await readdir(fonts)) {
  if (font.endsWith(".woff2")) await cp(path.join(fonts, font), path.join(target, "fonts", font))
}

// protobuf-es names its two licences but ships neither text: one heads a source file,
// the other comes with a package of the same licence
async function licence(name, home) {
  if (name === "@bufbuild/protobuf") {
    const varint = await readFile(path.join(home, "dist/esm/wire/varint.js"), "utf8")
    const google = varint.split("\n").filter((line, n, all) => all.slice(0, n + 1).every(l => l.startsWith("//")))
    return google.join("\n") + "\n\n" + await readFile("node_modules/typescript/LICENSE.txt", "utf8")
  }
  const file = (await readdir(home)).find(file => /^licen[cs]e/i.test(file))
  return readFile(path.join(home, file), "utf8")
}
