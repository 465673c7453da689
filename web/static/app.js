// Comfort on top of pages that work without it: countdowns, copying, the end
// that a duration leads to, menus that close. It writes text only, never HTML.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const zone = root.dataset.zone || "UTC";
  const started = performance.now();
  const serverNow = () => Number(root.dataset.now) + (performance.now() - started);
  const all = (selector) => document.querySelectorAll(selector);
  const say = (text) => {
    const box = document.getElementById("say");
    if (box) box.textContent = text;
  };

  // Times are in the zone of this browser, unless the person chose one.
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (here) document.cookie = `zone=${here}; path=/; max-age=34560000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;

  // Countdowns: data-ends is the end in milliseconds since 1970.
  const pad = (n) => String(n).padStart(2, "0");
  const clock = (ms) => {
    const s = Math.max(0, Math.ceil(ms / 1000));
    const h = Math.floor(s / 3600);
    const m = Math.floor((s % 3600) / 60);
    return h ? `${h}:${pad(m)}:${pad(s % 60)}` : `${pad(m)}:${pad(s % 60)}`;
  };
  const spoken = new Set();
  function tick() {
    const now = serverNow();
    for (const el of all("[data-ends]")) {
      const left = Number(el.dataset.ends) - now;
      const text = clock(left);
      if (el.textContent !== text) el.textContent = text;
      const card = el.closest("[data-urgent]");
      if (card) card.classList.toggle("is-expiring", left < Number(card.dataset.urgent));
      if (el.dataset.say === undefined) continue;
      for (const minutes of [10, 5, 1]) {
        const key = el.dataset.ends + ":" + minutes;
        if (left <= minutes * 60000 && left > (minutes - 1) * 60000 && !spoken.has(key)) {
          spoken.add(key);
          if (left > minutes * 60000 - 5000) say(`${minutes} minute${minutes > 1 ? "s" : ""} left.`);
        }
      }
      if (left <= 0 && !spoken.has(el.dataset.ends)) {
        spoken.add(el.dataset.ends);
        say("The time is up. Access is being removed.");
        const timeline = document.getElementById("timeline");
        if (timeline) timeline.dispatchEvent(new CustomEvent("changed"));
      }
    }
    for (const el of all("progress[data-to]")) {
      el.value = Math.max(0, Number(el.dataset.to) - now);
    }
    if (document.getElementById("clock") && !document.querySelector("#clock [role=timer]")) {
      for (const el of all("#signin [data-once]")) if (el.textContent !== "not valid any more") el.textContent = "not valid any more";
      for (const el of all("#signin [data-valid]")) el.hidden = true;
    }
    for (const el of all("[data-till]")) {
      if (Number(el.dataset.till) <= now && el.textContent !== "not valid any more") el.textContent = "not valid any more";
    }
    for (const el of all("[data-since]")) {
      el.textContent = ago(now - Number(el.dataset.since));
    }
  }
  function ago(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 90) return `${s} s ago`;
    const m = Math.round(s / 60);
    return m < 90 ? `${m} min ago` : `${Math.round(m / 60)} h ago`;
  }
  setInterval(tick, 500);
  tick();

  // The end that the chosen duration leads to.
  function minutesOf(form) {
    const chip = form.querySelector("input[name=minutes]:checked");
    const other = form.querySelector("input[name=other]");
    return Number(chip && chip.value !== "other" ? chip.value : other && other.value);
  }
  function endText(minutes, from) {
    const end = new Date(from + minutes * 60000);
    const day = (d) => new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(d);
    const time = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(end);
    if (day(end) === day(new Date(serverNow()))) return time;
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short", day: "numeric", month: "short" }).format(end) + " " + time;
  }
  function showEnd(form) {
    const out = form.querySelector("[data-endat]");
    if (!out) return;
    const minutes = minutesOf(form);
    const from = Number(out.dataset.endat) || serverNow();
    const good = Number.isInteger(minutes) && minutes > 0 && minutes <= 1440;
    out.textContent = good ? endText(minutes, from) : "–";
  }
  function eachEnd() {
    for (const form of all("form[data-ending]")) showEnd(form);
  }
  setInterval(eachEnd, 1000);
  eachEnd();

  document.addEventListener("change", (e) => {
    const form = e.target.closest("form");
    if (!form) return;
    if (e.target.name === "minutes" && e.target.value === "other") {
      const other = form.querySelector("input[name=other]");
      if (other) other.focus();
    }
    if (form.dataset.ending !== undefined) showEnd(form);
    if (e.target.dataset.submit !== undefined) form.requestSubmit();
    if (e.target.dataset.all) {
      for (const box of form.elements) if (box.name === e.target.dataset.all) box.checked = e.target.checked;
    }
  });
  document.addEventListener("input", (e) => {
    const form = e.target.closest("form[data-ending]");
    if (!form) return;
    if (e.target.name === "other") {
      const chip = form.querySelector("input[name=minutes][value=other]");
      if (chip) chip.checked = true;
    }
    showEnd(form);
  });

  // Copy buttons: data-copy names the element that holds the text.
  document.addEventListener("click", async (e) => {
    const button = e.target.closest("[data-copy]");
    if (button) {
      const from = document.querySelector(button.dataset.copy);
      const label = button.querySelector("[data-label]");
      if (!from) return;
      const text = from.value ?? from.textContent;
      const before = label ? label.textContent : "";
      try {
        await navigator.clipboard.writeText(text.trim());
        if (label) label.textContent = "Copied";
        say("Copied.");
      } catch {
        if (from.select) from.select();
        else getSelection().selectAllChildren(from);
        if (label) label.textContent = "Selected";
      }
      if (label) setTimeout(() => (label.textContent = before), 1600);
    }
    for (const menu of all("details.pop[open]")) {
      if (!menu.contains(e.target)) menu.open = false;
    }
    for (const link of e.composedPath()) {
      if (link.hash && link.dataset && link.dataset.field !== undefined) {
        const field = document.querySelector(link.hash);
        if (field) field.focus();
      }
    }
  });
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    for (const menu of all("details.pop[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // One press copies what the answer to a form tells: data-copies. The clipboard
  // is asked within the press, as browsers demand, and waits for the answer. If
  // nothing was told, the form goes the way that it goes without scripts, whose
  // page says why. What was told is never asked for again: if it cannot be
  // copied, it is shown.
  document.addEventListener("submit", async (e) => {
    const button = e.submitter;
    const box = document.getElementById("copied");
    if (!button || button.dataset.copies === undefined || !box || !window.ClipboardItem || !navigator.clipboard) return;
    e.preventDefault();
    if (button.dataset.busy) return;
    button.dataset.busy = "yes";
    const label = button.lastChild;
    const before = label.textContent;
    label.textContent = " Copying…";
    let told;
    const ask = async () => {
      const body = new URLSearchParams(new FormData(e.target, button));
      const answer = await fetch(button.formAction, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "manual", cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      told = await answer.json();
      return new Blob([told.url], { type: "text/plain" });
    };
    let copied = true;
    const text = ask();
    try {
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
    } catch {
      copied = false;
      await text.catch(() => {});
    }
    delete button.dataset.busy;
    label.textContent = before;
    if (!told) {
      delete button.dataset.copies;
      e.target.requestSubmit(button);
      return;
    }
    const [words, shown] = [box.querySelector("p"), box.querySelector("pre")];
    words.textContent = [copied ? "Copied." : "Your browser did not let this page copy it.", ...told.notes].join(" ");
    shown.textContent = copied ? "" : told.url;
    shown.hidden = copied;
    box.hidden = false;
    const menu = button.closest("details.pop");
    if (menu) {
      menu.open = false;
      box.scrollIntoView({ block: "center" });
    }
    if (!copied) {
      getSelection().selectAllChildren(shown);
      return;
    }
    document.body.dispatchEvent(new CustomEvent("copied")); // the list of sessions has one more
    label.textContent = " Copied";
    setTimeout(() => (label.textContent = before), 1600);
  });

  // Long lists narrow to what is typed: data-filter names what holds the rows
  // or options. What was ticked stays ticked while it is hidden.
  const options = new WeakMap();
  document.addEventListener("input", (e) => {
    const box = e.target.dataset.filter && document.querySelector(e.target.dataset.filter);
    if (!box) return;
    const words = e.target.value.toLowerCase().split(/\s+/);
    const fits = (row) => words.every((w) => row.textContent.toLowerCase().includes(w));
    let shown = 0;
    let all;
    if (box.tagName === "SELECT") {
      if (!options.has(box)) options.set(box, [...box.options]);
      const before = box.value;
      let kept = options.get(box).filter((o) => !o.value || fits(o));
      all = options.get(box).filter((o) => o.value).length;
      shown = kept.filter((o) => o.value).length;
      if (!shown) kept = [...box.options]; // what is chosen stays, until something else fits
      const chosen = kept.find((o) => o.value && o.value === before) || (shown === 1 ? kept.find((o) => o.value) : kept[0]);
      box.replaceChildren(...kept);
      if (chosen) box.value = chosen.value;
      if (box.value !== before) box.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
      all = box.children.length;
      for (const row of box.children) if (!(row.hidden = !fits(row))) shown++;
    }
    const count = e.target.nextElementSibling;
    if (count) count.textContent = e.target.value ? `${shown} of ${all}` : "";
  });
  document.addEventListener("keypress", (e) => {
    if (e.key === "Enter" && e.target.dataset.filter) e.preventDefault(); // it sends no form
  });

  // Tabs: links that, with scripts, show what is on the page already.
  document.addEventListener("click", (e) => {
    const link = e.target.closest("[data-tab]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    const shown = document.getElementById(link.dataset.tab);
    if (!shown) return;
    e.preventDefault();
    const now = document.getElementById("tab");
    if (now) now.value = link.dataset.tab.replace("way-", "");
    for (const tab of all("nav [data-tab]")) {
      const on = tab.dataset.tab === link.dataset.tab;
      if (on) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
      const part = document.getElementById(tab.dataset.tab);
      if (part) part.hidden = !on;
    }
  });

  // The list of what is wrong takes the focus, so that it is read first.
  const wrong = document.querySelector("[data-focus]");
  if (wrong) wrong.focus();

  // A shown password does not stay in a page that was left.
  addEventListener("pagehide", () => {
    for (const el of all("[data-once]")) el.textContent = "";
  });

  // htmx carries style attributes over to what it puts in, which our policy
  // forbids. Our pages have none: one comes from an extension or a tool.
  document.addEventListener("htmx:before:swap", () => {
    for (const el of all("main [id][style]")) el.removeAttribute("style");
  });

  // Say whether the timeline is live.
  const live = () => document.getElementById("live");
  document.addEventListener("htmx:sse:after:connection", () => live() && live().removeAttribute("data-off"));
  for (const over of ["over", "htmx:sse:close"]) document.addEventListener(over, () => live() && live().remove());
  document.addEventListener("htmx:sse:error", () => live() && live().setAttribute("data-off", ""));
})();
