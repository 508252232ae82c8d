// The Ctrl/Cmd-K palette: a combobox over links already in the page, and over items the server finds.
export const palette = () => ({
  active: 0,
  options() {
    return [...this.$root.querySelectorAll('[role="option"]:not([hidden])')];
  },
  open() {
    if (this.$root.open) return;
    this.$root.showModal();
    const input = this.$root.querySelector("input");
    input.value = "";
    input.focus();
    this.filter();
  },
  shortcut(event) {
    if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    this.open();
  },
  filter() {
    const term = this.$root.querySelector("input").value.trim().toLowerCase();
    this.$root.querySelectorAll('[role="option"][data-static]').forEach((option) => {
      option.hidden = !option.textContent.toLowerCase().includes(term);
    });
    this.$root.querySelectorAll("[data-group]").forEach((group) => {
      group.hidden = !group.querySelector('[role="option"]:not([hidden])');
    });
    this.mark(0);
  },
  mark(index) {
    const options = this.options();
    this.$root.querySelectorAll('[role="option"][hidden]').forEach((option) => option.setAttribute("aria-selected", "false"));
    this.active = Math.max(0, Math.min(index, options.length - 1));
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.active)));
    const chosen = options[this.active];
    const input = this.$root.querySelector("input");
    if (chosen) {
      input.setAttribute("aria-activedescendant", chosen.id);
      chosen.scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
    this.$root.querySelector("[data-none]").hidden = Boolean(chosen);
  },
  key(event) {
    if (event.key === "ArrowDown") this.mark(this.active + 1);
    else if (event.key === "ArrowUp") this.mark(this.active - 1);
    else if (event.key === "Enter") this.go(this.options()[this.active]);
    else return;
    event.preventDefault();
  },
  pick(event) {
    this.go(event.target.closest('[role="option"]'));
  },
  go(option) {
    if (option) window.location.assign(option.dataset.href);
  },
});
