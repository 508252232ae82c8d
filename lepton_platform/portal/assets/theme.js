// Runs before the first paint, so that a dark page never flashes white.
const dark = matchMedia("(prefers-color-scheme: dark)");
const chosen = () => localStorage.getItem("theme") || "system";
const apply = () => {
  const theme = chosen();
  const isDark = theme === "dark" || (theme === "system" && dark.matches);
  document.documentElement.classList.toggle("dark", isDark);
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("theme:change"));
};
window.leptonTheme = {
  chosen,
  choose(theme) {
    localStorage.setItem("theme", theme);
    apply();
  },
};
dark.addEventListener("change", apply);
apply();
