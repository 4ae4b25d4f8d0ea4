// Citations to spans, keyboard, hover card, copy, theme and the phone's sheet. One set of listeners on the document survives every redraw;
// text from reports is only ever written with textContent.
if (!window.veracite) {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const CHIP = '#chat a[href^="#cite-"]';
  const QUERY = '#chat a[href^="#query-"]';
  const reach = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);
  const keyOf = chip => chip.getAttribute("href").slice("#cite-".length);
  const marksOf = key => all("#sources mark").filter(mark => mark.dataset.keys.split(" ").includes(key));
  const chipOf = key => all(CHIP).find(chip => keyOf(chip) === key);
  const narrow = () => matchMedia("(max-width: 900px)").matches;
  const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
  const english = () => document.documentElement.lang === "en";

  let current = null; // key of the citation that is lit
  let awaited = null; // key of a chip clicked before its passage arrived
  let cameFrom = null; // the chip to which Escape returns

  const node = (tag, properties, parent = document.body) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const voice = node("div", { id: "voice", className: "unseen", ariaLive: "polite" });
  const hover = node("div", { id: "hover", role: "tooltip" });
  const hoverParts = ["title", "place", "words"].map(className => node("div", { className }, hover));

  function showTurn(turn) {
    for (const section of all("#sources .turn")) section.classList.toggle("show", section.dataset.turn === turn);
    const panel = one("#sources .panel");
    if (panel) panel.dataset.active = turn;
  }

  function sheet(open = !document.body.classList.contains("sheet")) {
    document.body.classList.toggle("sheet", open);
  }

  function dim() {
    for (const lit of all("#sources .lit, #chat a.lit")) lit.classList.remove("lit");
  }

  function light(key, marks) {
    dim();
    for (const mark of marks) mark.classList.add("lit");
    marks[0].closest(".card").classList.add("lit");
    chipOf(key)?.classList.add("lit");
  }

  // 1. bring the panel and the right turn forward  2. light exactly the spans of this chip  3. scroll the panel's own box, never the page
  function reveal(key, chip) {
    if (chip) cameFrom = chip;
    const marks = marksOf(key);
    if (!marks.length) {
      awaited = key;
      return;
    }
    awaited = null;
    current = key;
    const tab = one("#tab-sources-button");
    if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
    if (narrow()) sheet(true);
    showTurn(key.split("s")[0]);
    requestAnimationFrame(() => {
      light(key, marks);
      const box = marks[0].closest(".tabitem") || one("#sources");
      const place = marks[0].getBoundingClientRect().top - box.getBoundingClientRect().top;
      box.scrollTo({ top: box.scrollTop + place - box.clientHeight * 0.3, behavior: calm() });
      const card = marks[0].closest(".card");
      voice.textContent = `${one("h3", card).textContent}. ${marks.map(mark => mark.textContent).join("")}`;
    });
  }

  function step(by) {
    const turn = one("#sources .panel")?.dataset.active;
    const keys = all(CHIP).map(keyOf).filter(key => key.split("s")[0] === turn);
    if (!keys.length) return;
    const here = keys.indexOf(current);
    const next = here < 0 ? (by > 0 ? 0 : keys.length - 1) : (here + by + keys.length) % keys.length;
    reveal(keys[next], chipOf(keys[next]));
  }

  function hideHover() {
    hover.classList.remove("show");
  }

  function showHover(chip) {
    const marks = marksOf(keyOf(chip));
    if (narrow() || !marks.length) return;
    const card = marks[0].closest(".card");
    const texts = [one("h3", card).textContent, one(".place", card).textContent, marks.map(mark => mark.textContent).join("")];
    hoverParts.forEach((part, index) => (part.textContent = texts[index]));
    hover.classList.add("show");
    const around = chip.getBoundingClientRect();
    const above = around.top - hover.offsetHeight - 8;
    hover.style.left = `${Math.max(8, Math.min(innerWidth - hover.offsetWidth - 8, around.left - 24))}px`;
    hover.style.top = `${above > 64 ? above : around.bottom + 8}px`;
  }

  function fill(text) {
    const box = one("#question textarea");
    if (!box) return;
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  }

  async function copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = node("textarea", { value: text });
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  }

  document.addEventListener("click", event => {
    const chip = reach(event, CHIP);
    const query = reach(event, QUERY);
    if (chip || query) {
      event.preventDefault();
      event.stopPropagation();
      hideHover();
      if (chip) reveal(keyOf(chip), chip);
      else fill(query.textContent);
      return;
    }
    const arrow = reach(event, "#sources [data-step]");
    if (arrow) return step(Number(arrow.dataset.step));
    const mark = reach(event, "#sources .turn:not(.unused) mark");
    if (mark && !String(getSelection())) {
      const keys = mark.dataset.keys.split(" ");
      const key = keys[(keys.indexOf(current) + 1) % keys.length];
      reveal(key);
      return chipOf(key)?.scrollIntoView({ block: "center", behavior: calm() });
    }
    if (reach(event, "#sheet-close")) {
      sheet(false);
      return cameFrom?.focus();
    }
    if (reach(event, "#language")) {
      localStorage.setItem("veracite.language", english() ? "zh" : "en");
    }
    // the framework's copy button would copy our markup; what is copied instead was written on the server
    const button = reach(event, "#chat .message-buttons button");
    if (button && button === one("button", button.closest(".message-buttons"))) {
      const row = button.closest(".message-buttons").previousElementSibling;
      const answer = row && one(".answer", row);
      const plain = answer && one(`#sources .turn[data-turn="${CSS.escape(answer.id.slice("answer-".length))}"] .plain`);
      if (!plain) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      copy(plain.textContent, button);
    }
  }, true);

  document.addEventListener("keydown", event => {
    const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "Escape") {
      hideHover();
      sheet(false);
      if (cameFrom?.isConnected) cameFrom.focus();
      else if (current) chipOf(current)?.focus();
    } else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      one("#question textarea")?.focus();
    }
  });

  // the Enter that confirms a candidate of an input method must not send the question
  for (const name of ["keydown", "keypress"]) {
    window.addEventListener(name, event => {
      if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopImmediatePropagation();
    }, true);
  }

  document.addEventListener("mouseover", event => {
    const chip = reach(event, CHIP);
    if (chip) showHover(chip);
  });
  document.addEventListener("mouseout", event => reach(event, CHIP) && hideHover());
  document.addEventListener("focusin", event => {
    const chip = reach(event, CHIP);
    if (chip?.matches(":focus-visible")) showHover(chip);
  });
  document.addEventListener("focusout", hideHover);
  document.addEventListener("scroll", hideHover, true);

  // names for people who do not see: the sanitiser of messages drops aria-*, so they are added after each redraw
  function label() {
    for (const chip of all(CHIP)) {
      const card = marksOf(keyOf(chip))[0]?.closest(".card");
      if (!card) continue;
      const name = [`${english() ? "Source" : "来源"} ${chip.textContent}: ${one("h3", card).textContent}`, one(".place", card).textContent];
      const text = name.filter(Boolean).join(", ");
      if (chip.getAttribute("aria-label") !== text) chip.setAttribute("aria-label", text);
      chip.removeAttribute("target");
    }
    for (const button of all("#chat .message-buttons button:first-of-type")) {
      const text = english() ? "Copy the answer with its sources" : "复制回答和来源";
      if (button.title !== text) button.title = text;
    }
    one("#chat .examples[role=list]")?.removeAttribute("role"); // it holds buttons, which a list may not
    const box = one("#question textarea");
    if (box && box.getAttribute("aria-label") !== box.placeholder) box.setAttribute("aria-label", box.placeholder);
    const side = one("#evidence");
    if (side && !one("#sheet-close", side)) node("button", { id: "sheet-close", type: "button", textContent: "✕" }, side);
    const close = one("#sheet-close");
    const name = english() ? "Close" : "关闭";
    if (close && close.getAttribute("aria-label") !== name) close.setAttribute("aria-label", name);
  }
  let soon;
  new MutationObserver(() => {
    clearTimeout(soon);
    soon = setTimeout(label, 100);
  }).observe(document.body, { childList: true, subtree: true });

  function rendered() {
    const panel = one("#sources .panel");
    if (!panel) return;
    document.documentElement.lang = panel.dataset.language === "en" ? "en" : "zh-CN";
    if (!panel.dataset.active) {
      current = awaited = cameFrom = null;
      voice.textContent = "";
    } else if (awaited) reveal(awaited);
    else if (current && current.split("s")[0] === panel.dataset.active) {
      const marks = marksOf(current);
      if (marks.length) light(current, marks);
    }
    label();
  }

  function dark(on) {
    document.body.classList.toggle("dark", on);
    document.documentElement.style.colorScheme = on ? "dark" : "light";
  }
  const chosen = localStorage.getItem("veracite.theme");
  dark(chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);

  function theme() {
    const on = !document.body.classList.contains("dark");
    dark(on);
    localStorage.setItem("veracite.theme", on ? "dark" : "light");
  }

  function download(name, text) {
    const address = URL.createObjectURL(new Blob([text], { type: "text/markdown;charset=utf-8" }));
    const link = node("a", { href: address, download: name });
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 2000);
  }

  window.veracite = { rendered, sheet: () => sheet(), theme, download };
  rendered();
}
