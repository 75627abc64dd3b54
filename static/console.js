// The console's own behaviour: everything works without it, this makes it quick. No eval, no inline handlers.
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const on = (type, selector, act, options) => document.addEventListener(type, (event) => {
    const found = event.target.closest?.(selector);
    if (found) act(event, found);
  }, options);
  // One place that knows what htmx calls its events.
  const onHtmx = (name, act) => document.addEventListener(`htmx:${name}`, act);

  // -- toasts: one live region, six seconds, waiting while hovered or focused
  const announce = (text) => {
    const span = Object.assign(document.createElement("span"), { className: "sr", textContent: text });
    byId("toasts")?.append(span);
    setTimeout(() => span.remove(), 1500);
  };
  const fade = (toast) => {
    if (toast.dataset.timed) return;
    toast.dataset.timed = "1";
    const end = () => (toast.matches(":hover, :focus-within") ? setTimeout(end, 1000) : toast.remove());
    setTimeout(end, 6000);
  };
  const fadeAll = () => all("#toasts [data-toast]").forEach(fade);
  document.addEventListener("toast", ({ detail }) => {
    const toast = byId("toast-shape").content.firstElementChild.cloneNode(true);
    toast.className = `toast t-${detail.tone ?? "ok"}`;
    toast.querySelector("b").textContent = detail.title ?? detail.value ?? "";
    const text = toast.querySelector("p");
    if (detail.text) text.textContent = detail.text; else text.remove();
    byId("toasts").append(toast);
    fade(toast);
  });
  on("click", "[data-dismiss]", (event, button) => button.closest("[data-toast]").remove());

  // -- copy: the text beside the button, or that of the element that data-copy names
  const copy = async (button, text) => {
    await navigator.clipboard.writeText(text);
    const word = button.querySelector("span:last-child") ?? button.lastChild;
    const before = word.textContent;
    if (before.includes("Copied")) return;
    word.textContent = before.startsWith(" ") ? " Copied" : "Copied";
    announce("Copied to the clipboard");
    setTimeout(() => { word.textContent = before; }, 1600);
  };
  on("click", "[data-copy]", (event, button) => {
    const named = button.dataset.copy && document.querySelector(button.dataset.copy);
    const source = named || button.parentElement.querySelector("code");
    copy(button, source.value ?? source.textContent.trim());
  });

  // -- dialogs, palette, menus, drawer
  const show = (dialog) => { if (dialog && !dialog.open) dialog.showModal(); };
  on("click", "[data-close]", (event, button) => button.closest("dialog").close());
  on("click", "[data-open]", (event, button) => {
    button.closest("[popover]")?.hidePopover();
    show(byId(button.dataset.open));
  });
  const openPalette = () => {
    if (!byId("palette") || document.querySelector("dialog[open]")) return;
    show(byId("palette"));
    byId("palette-q").select();
    htmx.trigger("#palette-results", "palette-open");
  };
  on("click", "[data-palette]", openPalette);
  on("submit", "#palette form", (event) => {
    event.preventDefault();
    document.querySelector("#palette-results a")?.click();
  });
  // Arrows walk through the palette's results and through menus; everything in them is a plain link or button.
  const walk = (event, list, from) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !list.length) return;
    event.preventDefault();
    const at = list.indexOf(from);
    list[(at + step + list.length + (at < 0 && step < 0 ? 1 : 0)) % list.length].focus();
  };
  on("keydown", "#palette", (event) => walk(event, [byId("palette-q"), ...all("#palette-results a")], document.activeElement));
  on("keydown", "[data-slash], [data-row]", (event) => {
    const rows = all("[data-row]");
    if (rows.length) walk(event, [document.querySelector("[data-slash]"), ...rows].filter(Boolean), document.activeElement);
  });
  on("keydown", ".menu", (event, menu) => walk(event, all("a, button, input[type=search]", menu).filter((item) => !item.hidden), document.activeElement));
  on("keydown", "[popovertarget]", (event, button) => {
    const menu = byId(button.getAttribute("popovertarget"));
    if (event.key !== "ArrowDown" || !menu?.matches(".menu")) return;
    event.preventDefault();
    menu.showPopover({ source: button });
    menu.querySelector("a, button")?.focus();
  });
  on("input", "[data-menu-filter]", (event, input) => all("a", input.parentElement).forEach((link) => {
    link.hidden = !link.textContent.toLowerCase().includes(input.value.toLowerCase());
  }));
  on("focusout", ".menu:popover-open", (event, menu) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.hidePopover();
  });
  matchMedia("(width >= 56rem)").addEventListener("change", () => byId("side")?.matches(":popover-open") && byId("side").hidePopover());

  // -- theme: the server keeps it, the page follows at once
  on("submit", "[data-theme-form]", async (event, form) => {
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const theme = body.get("theme");
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    all("button", form).forEach((button) => button.setAttribute("aria-pressed", String(button === event.submitter)));
    form.closest("[popover]").hidePopover();
    await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
  });

  // -- keys: Ctrl K always; single ones never while typing, and only while they are turned on
  const typing = (element) => element.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const single = () => localStorage.getItem("single-keys") !== "off";
  let chord = 0;
  // What a key does to the row that has the focus, or to the page's one thing.
  const inRow = (selector) => () => {
    const found = (document.activeElement.closest("tr") ?? byId("main"))?.querySelector(selector);
    found?.click();
    return found;
  };
  const press = {
    x: () => document.activeElement.closest("tr") && inRow("[data-pick]")(),
    l: () => (document.activeElement.closest("tr") || !document.querySelector("[data-row]")) && inRow("[data-link]")(),
    "/": () => {
      const filter = document.querySelector("[data-slash]");
      filter?.focus();
      filter?.select();
      return filter;
    },
    "?": () => { show(byId("keys")); return true; },
    g: () => { chord = Date.now(); return true; },
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !single() || document.querySelector("dialog[open]")) return;
    if (Date.now() - chord < 1200) {
      chord = 0;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (press[event.key]?.()) event.preventDefault();
  });
  on("change", "[data-single-keys]", (event, box) => localStorage.setItem("single-keys", box.checked ? "on" : "off"));

  // -- chosen rows stay chosen in the bar below, whatever is searched next; those of one access at a time
  const picks = () => all("#picks [name=pick]");
  const showPicks = () => {
    const basket = byId("basket"), chosen = picks();
    if (!basket) return;
    basket.hidden = !chosen.length;
    basket.querySelector("[data-count]").textContent = `${chosen.length} selected`;
    all("[data-pick]").forEach((box) => {
      box.checked = chosen.some((one) => one.value === box.value);
      // What stands in the bar is sent by the bar alone.
      if (box.checked) box.removeAttribute("form");
    });
  };
  const pick = (box) => {
    const basket = byId("basket"), access = (one) => one.value.split(":")[0];
    const mixed = picks().some((one) => access(one) !== access(box));
    const full = String(new URLSearchParams(new FormData(basket))).length + box.value.length > 3600;
    basket.querySelector("[data-mixed]").hidden = !mixed;
    basket.querySelector("[data-full]").hidden = mixed || !full;
    if (mixed || full) return;
    const label = basket.querySelector("template").content.firstElementChild.cloneNode(true);
    label.querySelector("input").value = box.value;
    label.querySelector("span").textContent = box.closest("tr").querySelector("[data-row]").textContent;
    byId("picks").append(label);
  };
  on("change", "[data-pick]", (event, box) => {
    box.removeAttribute("form");
    if (box.checked) pick(box); else picks().find((one) => one.value === box.value)?.parentElement.remove();
    showPicks();
  });
  on("change", "#picks [name=pick]", (event, box) => { box.parentElement.remove(); showPicks(); });

  // -- relative times
  const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [86400 * 60, 86400, "d"]];
  const relative = (time) => {
    const seconds = Math.max(0, Math.floor((Date.now() - new Date(time.dateTime)) / 1000));
    const step = STEPS.find(([limit]) => seconds < limit);
    if (step) time.textContent = seconds < 10 ? "just now" : `${Math.floor(seconds / step[1])} ${step[2]} ago`;
  };
  setInterval(() => all("time[data-rel]").forEach(relative), 30000);

  // -- a log follows its end until the reader's own gesture leaves it
  const left = new WeakSet();
  const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const jumpButton = (log) => log.closest(".log-view")?.querySelector("[data-log-jump]");
  const gesture = (event, log) => setTimeout(() => {
    if (atEnd(log)) left.delete(log); else left.add(log);
    const jump = jumpButton(log);
    if (jump) jump.hidden = !left.has(log);
  }, 60);
  for (const type of ["wheel", "touchmove", "keyup", "pointerup"]) on(type, "[data-follow]", gesture, { passive: true });
  const follow = () => all("[data-follow]").forEach((log) => {
    if (!left.has(log) && !location.hash.startsWith("#L")) log.scrollTop = log.scrollHeight;
  });
  on("click", "[data-log-jump]", (event, button) => {
    const log = button.closest(".log-view").querySelector(".log");
    left.delete(log);
    log.focus({ preventScroll: true });
    // Lines that were never in sight count as one row high: the end moves away as they are drawn.
    log.lastElementChild.lastElementChild?.scrollIntoView({ block: "nearest" });
    log.scrollTop = log.scrollHeight;
    button.hidden = true;
    requestAnimationFrame(follow);
  });

  // -- tools of a log
  const logOf = (tool) => tool.closest(".log-view").querySelector(".log");
  const searchLog = (input) => {
    const tools = input.closest("[data-log-tools]");
    const wanted = input.value.toLowerCase(), step = tools.querySelector("[data-log-step]")?.value || "";
    const lines = all("li", logOf(input));
    const found = lines.filter((line) => {
      const hit = (!step || line.dataset.step === step) && (!wanted || line.lastElementChild.textContent.toLowerCase().includes(wanted));
      line.hidden = !hit;
      return hit;
    });
    tools.querySelector("[data-log-count]").textContent = wanted || step ? `${found.length} of ${lines.length} lines` : "";
  };
  on("input", "[data-log-search], [data-log-step]", (event, input) => searchLog(input));
  const toggle = (name, of) => (event, button) => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    logOf(button).classList.toggle(name, of(pressed));
  };
  on("click", "[data-log-errors]", toggle("only-errors", (pressed) => pressed));
  on("click", "[data-log-wrap]", toggle("no-wrap", (pressed) => !pressed));
  on("click", "[data-log-copy]", (event, button) => copy(button, all("li", logOf(button)).map((line) => line.lastElementChild.textContent.trim()).join("\n")));

  // -- a link to several values: a name that nobody typed becomes the beginning of theirs
  on("change", ".linking [name=takes]", (event, radio) => {
    const name = byId("id_variable"), one = name.defaultValue.replace(/_$/, "");
    if (one && [one, `${one}_`].includes(name.value)) name.value = radio.value === "value" ? one : `${one}_`;
  }, true);

  // -- forms: focus what is wrong, show what is not saved, send once
  const focusError = (within) => (within.querySelector?.("[data-error-summary]") ?? within.querySelector?.("[aria-invalid=true]"))?.focus();
  on("input", "form[data-unsaved]", (event, form) => { form.querySelector("[data-unsaved-bar]").hidden = false; });
  on("reset", "form[data-unsaved]", (event, form) => { form.querySelector("[data-unsaved-bar]").hidden = true; });
  on("click", "[aria-disabled=true]", (event) => { event.preventDefault(); event.stopImmediatePropagation(); }, true);
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.matches("[hx-post], [hx-get], [method=dialog]")) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    if (event.target.method !== "post") return;
    event.target.dataset.sent = "1";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    all("form[data-sent]").forEach((form) => delete form.dataset.sent);
    all("[aria-busy=true]").forEach((button) => button.removeAttribute("aria-busy"));
  });

  // -- htmx: rest in hidden tabs, say when the connection or the session is lost
  const banner = (text, link) => {
    let bar = byId("connection");
    if (!text) { bar?.remove(); return; }
    if (bar?.dataset.text === text) return;
    bar?.remove();
    bar = Object.assign(document.createElement("div"), { id: "connection", className: "connection", textContent: text });
    bar.dataset.text = text;
    bar.setAttribute("role", "alert");
    if (link) bar.append(Object.assign(document.createElement("a"), { href: link, textContent: "Sign in" }));
    document.body.append(bar);
  };
  onHtmx("beforeRequest", (event) => {
    if (document.hidden && event.target.closest("[data-poll]")) event.preventDefault();
  });
  // What a page asks for by itself does not keep a session alive.
  onHtmx("configRequest", ({ detail }) => { if (detail.elt.closest("[data-poll]")) detail.headers["X-Poll"] = "1"; });
  onHtmx("sendError", () => banner("Connection lost, retrying"));
  onHtmx("timeout", () => banner("Connection lost, retrying"));
  onHtmx("responseError", ({ detail }) => {
    const status = detail.xhr.status;
    if (status === 401) banner("You are signed out. What you see may be old.", `/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
    else if (status === 403) banner("Your role does not allow this, or the page is too old. Reload it.");
    else if (status === 404) banner("This is gone. Reload the page.");
    else banner("Something broke here; the console's log says where. Try again.");
  });
  onHtmx("afterOnLoad", ({ detail }) => { if (detail.xhr.status < 400 || detail.xhr.status === 422) banner(""); });
  onHtmx("afterSettle", (event) => {
    fadeAll();
    follow();
    showPicks();
    all("[data-log-search], [data-log-step]").forEach((input) => input.value && searchLog(input));
    if (event.detail.xhr?.status === 422) focusError(event.target);
    event.target.querySelectorAll("dialog[data-show]").forEach(show);
  });
  // Where the tabs of an object do not fit, they are scrolled to the one that is open.
  const showTab = () => all(".tabs [aria-current]").forEach((tab) => { tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2; });
  document.addEventListener("DOMContentLoaded", () => {
    showTab();
    fadeAll();
    follow();
    if (document.title.startsWith("Error: ")) focusError(document);
    all("dialog[data-show]").forEach(show);
    all("[data-single-keys]").forEach((box) => { box.checked = single(); });
  });
})();
