// The console's own behaviour: everything works without it, this makes it quick. No eval, no inline handlers.
(() => {
  const on = (type, selector, act) => document.addEventListener(type, (event) => {
    const found = event.target.closest?.(selector);
    if (found) act(event, found);
  });
  const byId = (id) => document.getElementById(id);
  const typing = (element) => element.matches("input, textarea, select, [contenteditable]");

  // -- toasts: one live region, six seconds, waiting while hovered or focused
  const announce = (text) => {
    const span = Object.assign(document.createElement("span"), { className: "sr", textContent: text });
    byId("toasts")?.append(span);
    setTimeout(() => span.remove(), 1500);
  };
  const fade = (toast) => {
    if (toast.dataset.timed) return;
    toast.dataset.timed = "1";
    const tick = () => (toast.matches(":hover, :focus-within") ? setTimeout(tick, 1000) : toast.remove());
    setTimeout(tick, 6000);
  };
  const toasts = () => document.querySelectorAll("[data-toast]").forEach(fade);

  // -- copy
  on("click", "[data-copy]", async (event, button) => {
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    const label = button.lastChild;
    label.textContent = " Copied";
    announce("Copied to the clipboard");
    setTimeout(() => { label.textContent = " Copy"; }, 1600);
  });
  on("click", "[data-dismiss]", (event, button) => button.closest("[data-toast]").remove());

  // -- dialogs, palette, drawer
  on("click", "[data-close]", (event, button) => button.closest("dialog").close());
  on("click", "[data-open]", (event, button) => byId(button.dataset.open).showModal());
  const palette = () => {
    const dialog = byId("palette");
    if (!dialog || dialog.open) return;
    dialog.showModal();
    byId("palette-q").select();
    htmx.trigger("#palette-results", "palette-open");
  };
  on("click", "[data-palette]", palette);
  const drawer = (open) => {
    document.documentElement.classList.toggle("drawer", open);
    document.querySelector("[data-drawer]")?.setAttribute("aria-expanded", String(open));
  };
  on("click", "[data-drawer]", () => {
    const open = !document.documentElement.classList.contains("drawer");
    drawer(open);
    if (open) document.querySelector("#side a")?.focus();
  });
  document.addEventListener("click", (event) => { if (!event.target.closest("#side, [data-drawer]")) drawer(false); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") drawer(false);
    if ((event.ctrlKey || event.metaKey) && event.key === "k") { event.preventDefault(); palette(); return; }
    if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const filter = document.querySelector("[data-slash]");
      if (filter) { event.preventDefault(); filter.focus(); filter.select(); }
    }
    if (event.key === "?") byId("keys")?.showModal();
  });

  // -- relative times
  const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [86400 * 60, 86400, "d"]];
  const relative = (time) => {
    const seconds = Math.max(0, Math.floor((Date.now() - new Date(time.dateTime)) / 1000));
    const step = STEPS.find(([limit]) => seconds < limit);
    if (step) time.textContent = seconds < 10 ? "just now" : `${Math.floor(seconds / step[1])} ${step[2]} ago`;
  };
  setInterval(() => document.querySelectorAll("time[data-rel]").forEach(relative), 30000);

  // -- a log follows its end until the reader scrolls up
  const following = new WeakMap();
  const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const type of ["wheel", "touchmove", "keyup", "pointerup"]) {
    on(type, "[data-follow]", (event, log) => setTimeout(() => following.set(log, atEnd(log)), 50));
  }
  const follow = () => document.querySelectorAll("[data-follow]").forEach((log) => {
    if (following.get(log) !== false && !location.hash) log.scrollTop = log.scrollHeight;
  });

  // -- forms: focus goes to what is wrong; a file's text is put into its field
  const focusError = (root) => {
    const target = root.querySelector?.("[data-error-summary]") ?? root.querySelector?.("[aria-invalid=true]");
    target?.focus();
  };

  // -- htmx: pause polls in hidden tabs, say when the connection is lost
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.matches("[data-poll]")) event.preventDefault();
  });
  const lost = (shown) => {
    let banner = document.querySelector(".connection-lost");
    if (shown && !banner) {
      banner = Object.assign(document.createElement("div"), { className: "connection-lost", textContent: "Connection lost, retrying" });
      banner.setAttribute("role", "alert");
      document.body.append(banner);
    }
    if (!shown) banner?.remove();
  };
  document.addEventListener("htmx:sendError", () => lost(true));
  document.addEventListener("htmx:afterOnLoad", () => lost(false));
  document.addEventListener("htmx:afterSettle", (event) => { toasts(); follow(); if (event.detail.xhr?.status === 422) focusError(event.target); });
  document.addEventListener("DOMContentLoaded", () => { toasts(); follow(); focusError(document); });
})();
