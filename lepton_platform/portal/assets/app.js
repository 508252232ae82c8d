import Alpine from "@alpinejs/csp";
import htmx from "htmx.org";
import { palette } from "./palette.js";

window.htmx = htmx;
htmx.config.includeIndicatorCSS = false;

Alpine.data("shell", () => ({
  opener: null,
  openNav() {
    this.opener = document.activeElement;
    document.documentElement.dataset.nav = "open";
    this.$nextTick(() => document.querySelector("#sidebar a, #sidebar summary")?.focus());
  },
  closeNav() {
    if (document.documentElement.dataset.nav !== "open") return;
    delete document.documentElement.dataset.nav;
    this.opener?.focus();
  },
}));

Alpine.data("themes", () => ({
  theme: window.leptonTheme.current(),
  choose(event) {
    this.theme = event.currentTarget.value;
    window.leptonTheme.choose(this.theme);
    this.$root.querySelectorAll("button[value]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.value === this.theme));
    });
    this.$root.removeAttribute("open");
  },
  init() {
    this.$root.querySelectorAll("button[value]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.value === this.theme));
    });
  },
}));

Alpine.data("copyable", () => ({
  done: false,
  async copy() {
    const source = this.$root.querySelector("[data-copy]");
    await navigator.clipboard.writeText(source.textContent.trim());
    this.done = true;
    setTimeout(() => (this.done = false), 2000);
  },
  get idle() {
    return !this.done;
  },
}));

Alpine.data("toast", () => ({
  init() {
    const seconds = Number(this.$root.dataset.seconds || 0);
    if (seconds) setTimeout(() => this.$root.remove(), seconds * 1000);
  },
  close() {
    this.$root.remove();
  },
}));

Alpine.data("palette", palette);

// Buttons that open a <dialog>, and dialogs that must be open when the page is loaded (a form with errors, a key shown once).
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog-open]");
  if (opener) document.getElementById(opener.dataset.dialogOpen)?.showModal();
  const closer = event.target.closest("[data-dialog-close]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target.matches("dialog.modal, dialog.palette")) event.target.close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.removeAttribute("open");
  menu.querySelector("summary").focus();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  if (event.target.matches(".file-field > input") && event.target.files.length) {
    event.target.parentElement.querySelector("[data-file-name]").textContent = event.target.files[0].name;
  }
});
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("dialog[data-open-on-load]").forEach((dialog) => dialog.showModal());
});

Alpine.start();
