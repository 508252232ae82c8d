// The Ctrl/Cmd-K palette: a combobox over links already in the page, and over items that the server returns.
export const palette = () => ({
  activeIndex: 0,
  listOptions() {
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
  openByShortcut(event) {
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
    this.setActive(0);
  },
  setActive(index) {
    const options = this.listOptions();
    this.$root.querySelectorAll('[role="option"][hidden]').forEach((option) => option.setAttribute("aria-selected", "false"));
    this.activeIndex = Math.max(0, Math.min(index, options.length - 1));
    options.forEach((option, position) => option.setAttribute("aria-selected", String(position === this.activeIndex)));
    const activeOption = options[this.activeIndex];
    const input = this.$root.querySelector("input");
    if (activeOption) {
      input.setAttribute("aria-activedescendant", activeOption.id);
      activeOption.scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
    this.$root.querySelector("[data-empty]").hidden = Boolean(activeOption);
  },
  moveByKey(event) {
    if (event.key === "ArrowDown") this.setActive(this.activeIndex + 1);
    else if (event.key === "ArrowUp") this.setActive(this.activeIndex - 1);
    else if (event.key === "Enter") this.followLink(this.listOptions()[this.activeIndex]);
    else return;
    event.preventDefault();
  },
  followClicked(event) {
    this.followLink(event.target.closest('[role="option"]'));
  },
  followLink(option) {
    if (option) window.location.assign(option.dataset.href);
  },
});
