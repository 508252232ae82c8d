// Writes everything the portal serves: `node build.mjs [output folder]`, default the committed folder.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../static/portal"));
const modules = join(here, "node_modules");
mkdirSync(out, { recursive: true });

// Minified by esbuild: in one of about 25 builds on a busy machine Tailwind's own minifier drops rules.
const unminified = join(out, "unminified.css");
const css = spawnSync(
  process.execPath,
  [join(modules, "@tailwindcss/cli/dist/index.mjs"), "-i", join(here, "portal.css"), "-o", unminified],
  { cwd: here, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" },
);
if (css.status !== 0) {
  process.stderr.write(css.stderr);
  process.exit(1);
}
const sheet = await transform(readFileSync(unminified, "utf8"), {
  loader: "css",
  minify: true,
  target: ["chrome111", "firefox128", "safari16.4"],
  legalComments: "inline",
});
rmSync(unminified);
writeFileSync(join(out, "portal.css"), sheet.code);

await build({
  entryPoints: ["theme.js", "app.js", "charts.js"].map((name) => join(here, name)),
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "inline",
  logLevel: "error",
});

copyFileSync(join(modules, "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2"), join(out, "inter-latin.woff2"));
copyFileSync(join(modules, "@fontsource-variable/inter/LICENSE"), join(out, "inter-LICENSE.txt"));
copyFileSync(join(here, "favicon.svg"), join(out, "favicon.svg"));

const names = JSON.parse(readFileSync(join(here, "icons.json"), "utf8"));
const icons = {};
for (const name of names.sort()) {
  const svg = readFileSync(join(modules, `lucide-static/icons/${name}.svg`), "utf8");
  icons[name] = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>")).replace(/\s*\n\s*/g, "").trim();
}
writeFileSync(join(out, "icons.json"), `${JSON.stringify(icons, null, 1)}\n`);
