// Runs before the first paint, so that a dark page never flashes white.
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
const readTheme = () => localStorage.getItem("theme") || "system";
const applyTheme = () => {
  const theme = readTheme();
  const isDark = theme === "dark" || (theme === "system" && darkScheme.matches);
  document.documentElement.classList.toggle("dark", isDark);
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("theme:change"));
};
window.leptonTheme = {
  current: readTheme,
  choose(theme) {
    localStorage.setItem("theme", theme);
    applyTheme();
  },
};
darkScheme.addEventListener("change", applyTheme);
applyTheme();
