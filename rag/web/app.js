// Citations to spans, page pictures, reports, conversations, keyboard, hover card, copy, theme and the phone's sheet. One set of listeners on the document survives every redraw;
// text from reports is only ever written with textContent.
if (!window.provenote) {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const CHIP = '#chat a[href^="#cite-"]';
  const QUERY = '#chat a[href^="#query-"]';
  const DO = '#chat a[href^="#do-"]';
  const ASK = '#chat a[href^="#ask-"]';
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
  let meant = {}; // what the next event tells the server
  let replaced = ""; // key of the turn that the next question replaces
  const chosen = new Set(); // ids of the reports that may answer
  const turnOf = key => key.match(/^t\d+/)?.[0] ?? "";

  // what the browser kept under the name of version 0.1
  for (const name of ["owner", "language", "theme"]) {
    const before = localStorage.getItem(`veracite.${name}`);
    if (before !== null && localStorage.getItem(`provenote.${name}`) === null) localStorage.setItem(`provenote.${name}`, before);
    localStorage.removeItem(`veracite.${name}`);
  }

  // a key that only this browser knows: its conversations are kept under it
  if (!/^[0-9a-f]{32}$/.test(localStorage.getItem("provenote.owner") ?? "")) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    localStorage.setItem("provenote.owner", [...bytes].map(byte => byte.toString(16).padStart(2, "0")).join(""));
  }

  function replace(turn) {
    replaced = turn;
    document.body.classList.toggle("editing", Boolean(turn));
  }

  function given(asking = false) {
    const sent = {
      owner: localStorage.getItem("provenote.owner") ?? "",
      talk: sessionStorage.getItem("provenote.talk") ?? "",
      chosen: [...chosen],
      llm: Boolean(one("#llm input")?.checked),
      replaced,
      ...meant,
    };
    meant = {};
    if (asking) replace("");
    return JSON.stringify(sent);
  }

  // an event with what it is about: the server listens to buttons that nobody sees
  function tell(name, about) {
    meant = about;
    one(`#do-${name}`)?.click();
  }

  const node = (tag, properties, parent = document.body) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const voice = node("div", { id: "voice", className: "unseen", ariaLive: "polite" });
  const hover = node("div", { id: "hover", role: "tooltip" });
  const hoverParts = ["title", "place", "words"].map(className => node("div", { className }, hover));

  function showTurn(turn) {
    for (const section of all("#sources .turn")) section.classList.toggle("show", section.dataset.turn === turn);
    one("#sources").dataset.active = turn;
  }

  function ask(question) {
    fill(question);
    if (narrow()) sheet(false);
    setTimeout(() => one("#question .submit-button")?.click(), 60);
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
    showTurn(turnOf(key));
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
    const turn = one("#sources")?.dataset.active;
    const keys = all(CHIP).map(keyOf).filter(key => turnOf(key) === turn);
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
    const link = reach(event, `${CHIP}, ${QUERY}, ${DO}, ${ASK}`);
    if (link) {
      event.preventDefault();
      event.stopPropagation();
      hideHover();
      if (link.matches(CHIP)) reveal(keyOf(link), link);
      else if (link.matches(QUERY)) {
        replace("");
        fill(link.textContent);
      } else if (link.matches(ASK)) {
        replace("");
        ask(link.textContent);
      } else act(link);
      return;
    }
    const button = reach(event, "#evidence button, #viewer button");
    if (button && press(button)) return;
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
    if (reach(event, "#new")) replace("");
    if (reach(event, "#language")) localStorage.setItem("provenote.language", english() ? "zh" : "en");
  }, true);

  // what stands below an answer: copy, retry, edit, opinions
  function act(link) {
    const [, name, turn] = link.getAttribute("href").split("-");
    const section = one(`#sources .turn[data-turn="${CSS.escape(turn)}"]`);
    const question = section ? one(".question", section).textContent : "";
    if (name === "copy") copy(section ? one(".plain", section).textContent : "", link);
    else if (name === "retry" || name === "edit") {
      replace(turn);
      if (name === "retry") ask(question);
      else fill(question);
    } else tell("rate", { turn, rating: name });
  }

  // every button in the tabs and on the page's picture; whether it was one of ours
  function press(button) {
    const about = button.dataset;
    if (about.sure && !button.classList.contains("sure")) {
      // the second press is the one that counts
      Object.assign(button, { textContent: about.sure }).classList.add("sure");
      setTimeout(() => Object.assign(button, { textContent: "✕" }).classList.remove("sure"), 4000);
    } else if (about.step) step(Number(about.step));
    else if (about.more) {
      const open = button.closest(".card").classList.toggle("open");
      button.setAttribute("aria-expanded", String(open));
      [button.textContent, about.more] = [about.more, button.textContent];
    } else if (about.see) tell("see", { evidence: onCard(button) ?? about.see });
    else if (about.leaf === "close") leave();
    else if (about.leaf) tell("see", { evidence: one("#viewer .leaf").dataset.key, page: Number(about.leaf) });
    else if (about.remove) tell("remove", { document: about.remove });
    else if (about.choose) choose(about.choose);
    else if (about.talk) tell("turn", { action: "open", talk: about.talk });
    else if (about.delete) tell("turn", { action: "delete", talk: about.delete });
    else if (about.rename) {
      const title = prompt(about.ask, one("b", button.parentElement).textContent);
      if (title) tell("turn", { action: "rename", talk: about.rename, title: title.slice(0, 80) });
    } else if (about.export) tell("take", { kind: about.export });
    else if (about.question) {
      replace("");
      ask(about.question);
    } else if (about.section) {
      for (const field of all("#explore .field.on, #explore .term.on")) field.classList.remove("on");
      button.classList.add("on");
      tell("probe", { document: about.document, section: JSON.parse(about.section) });
    } else if (about.term) {
      for (const field of all("#explore .field.on, #explore .term.on")) field.classList.remove("on");
      button.classList.add("on");
      tell("probe", { document: about.only, term: about.term });
    } else return false;
    return true;
  }

  // of several citations on a card, the one that is lit
  function onCard(button) {
    const lit = one("mark.lit", button.closest(".card"));
    return lit && current && lit.dataset.keys.split(" ").includes(current) ? current : null;
  }

  function leave() {
    const leaf = one("#viewer .leaf");
    if (leaf) leaf.remove();
    document.body.classList.remove("leafing");
    chipOf(current)?.focus();
  }

  // ---- reports that may answer
  function choose(which) {
    for (const box of all("#reports [data-report]")) {
      if (which === "none" || box.closest("li").hidden) chosen.delete(box.dataset.report);
      else chosen.add(box.dataset.report);
    }
    if (which === "none") chosen.clear();
    ticked();
    tell("scope", {});
  }

  function ticked() {
    const there = new Set(all("#reports [data-report]").map(box => box.dataset.report));
    if (there.size) for (const id of chosen) if (!there.has(id)) chosen.delete(id);
    for (const box of all("#reports [data-report]")) {
      box.checked = chosen.has(box.dataset.report);
      box.closest("li").classList.toggle("on", box.checked);
    }
  }

  document.addEventListener("change", event => {
    const box = reach(event, "#reports [data-report]");
    if (!box) return;
    if (box.checked) chosen.add(box.dataset.report);
    else chosen.delete(box.dataset.report);
    ticked();
    tell("scope", {});
  });
  document.addEventListener("input", event => {
    const box = reach(event, "#sift");
    const words = box?.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words) for (const row of all("#reports li")) row.hidden = !words.every(word => row.dataset.words.includes(word));
  });
  document.addEventListener("submit", event => {
    const form = reach(event, "#explore .contrast");
    if (!form) return;
    event.preventDefault();
    const topic = form.elements.topic.value.trim();
    if (topic) tell("probe", { topic, pair: [form.elements.a.value, form.elements.b.value] });
  }, true);

  document.addEventListener("keydown", event => {
    const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "Escape" && one("#viewer .leaf")) leave();
    else if (event.key === "Escape") {
      replace("");
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
    for (const link of all(`${DO}, ${ASK}, ${QUERY}`)) link.removeAttribute("target");
    one("#add button[aria-label]")?.removeAttribute("aria-label"); // it names less than it shows
    one("#chat .examples[role=list]")?.removeAttribute("role"); // it holds buttons, which a list may not
    const box = one("#question textarea");
    if (box && box.getAttribute("aria-label") !== box.placeholder) box.setAttribute("aria-label", box.placeholder);
    const side = one("#evidence");
    if (side && !one("#sheet-close", side)) node("button", { id: "sheet-close", type: "button", textContent: "✕" }, side);
    const close = one("#sheet-close");
    const name = english() ? "Close" : "关闭";
    if (close && close.getAttribute("aria-label") !== name) close.setAttribute("aria-label", name);
  }
  // a new question is brought to the top and stays there while its answer grows; whoever scrolls meanwhile is left alone
  let asked = 0;
  let following = false;
  let ended = null;
  function follow() {
    const rows = all("#chat .user-row");
    const box = one("#chat .bubble-wrap");
    if (rows.length !== asked) {
      clearTimeout(ended);
      ended = null;
      following = rows.length > asked;
      asked = rows.length;
    }
    if (!following || !box) return;
    const row = rows[rows.length - 1];
    box.scrollTo({ top: box.scrollTop + row.getBoundingClientRect().top - box.getBoundingClientRect().top - 12, behavior: "instant" });
    const answers = all("#chat .answer");
    if (answers.length === asked && one(".foot, .trouble", answers[asked - 1])) ended ??= setTimeout(letGo, 1200);
  }
  function letGo() {
    following = false;
  }
  for (const name of ["wheel", "touchmove", "mousedown", "keydown", "focusin"]) {
    document.addEventListener(name, event => reach(event, "#chat") && letGo(), { passive: true, capture: true });
  }

  let soon;
  new MutationObserver(changes => {
    if (changes.some(change => reach(change, "#chat"))) follow();
    clearTimeout(soon);
    soon = setTimeout(label, 100);
  }).observe(document.body, { childList: true, subtree: true });

  // sections of turns arrive one by one and are kept here, so that a long conversation is not sent again with every answer
  function rendered() {
    const news = one("#incoming .panel");
    const shelf = one("#sources");
    if (!news || !shelf) return;
    document.documentElement.lang = news.dataset.language === "en" ? "en" : "zh-CN";
    if (news.dataset.chosen) {
      chosen.clear();
      for (const id of JSON.parse(news.dataset.chosen)) chosen.add(id);
      ticked();
      tell("scope", {});
      delete news.dataset.chosen;
    }
    if (news.dataset.soft && one(".turn", shelf)) return label();
    if (news.dataset.whole) shelf.replaceChildren();
    else one(".empty", shelf)?.remove();
    for (const part of [...news.children]) {
      const old = part.dataset.turn && one(`.turn[data-turn="${CSS.escape(part.dataset.turn)}"]`, shelf);
      if (old) old.replaceWith(part);
      else shelf.append(part);
    }
    shelf.dataset.active = news.dataset.active;
    if (!news.dataset.active) {
      current = awaited = cameFrom = null;
      voice.textContent = "";
    } else {
      showTurn(news.dataset.active);
      if (awaited) reveal(awaited);
      else if (current && turnOf(current) === news.dataset.active) {
        const marks = marksOf(current);
        if (marks.length) light(current, marks);
      }
    }
    label();
  }

  function shelved() {
    ticked();
    label();
  }

  function paged() {
    const leaf = one("#viewer .leaf");
    document.body.classList.toggle("leafing", Boolean(leaf));
    if (!leaf) return;
    const paper = one(".paper", leaf);
    const box = one(".box", leaf);
    (paper ?? one("button", leaf)).focus({ preventScroll: true });
    if (box) requestAnimationFrame(() => paper.scrollTo({ top: box.offsetTop - paper.clientHeight * 0.35 }));
  }

  function talked() {
    const mark = one("#talk-mark [data-talk]");
    if (!mark) return;
    if (mark.dataset.talk) sessionStorage.setItem("provenote.talk", mark.dataset.talk);
    else if (talked.before) sessionStorage.removeItem("provenote.talk");
    talked.before = true;
  }

  function found() {
    one("#found .found")?.scrollIntoView({ block: "nearest", behavior: calm() });
  }

  function dark(on) {
    document.body.classList.toggle("dark", on);
    document.documentElement.style.colorScheme = on ? "dark" : "light";
  }
  const shade = localStorage.getItem("provenote.theme");
  dark(shade ? shade === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);

  function theme() {
    const on = !document.body.classList.contains("dark");
    dark(on);
    localStorage.setItem("provenote.theme", on ? "dark" : "light");
  }

  function download(file) {
    if (!file) return;
    const { name, text } = JSON.parse(file);
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    const link = node("a", { href: address, download: name });
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 2000);
  }

  window.provenote = { given, rendered, shelved, paged, talked, found, sheet: () => sheet(), theme, download };
  rendered();
}
