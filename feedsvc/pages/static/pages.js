// What pages do beyond links and forms: copy, share, mark today, remove pictures that fail.
"use strict";

// style.css hides the header in a frame on another site.
document.documentElement.classList.toggle("framed", window !== window.top);

const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status");
document.querySelector("main").append(status);

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without HTTPS there is no clipboard, and frames may not write to it.
    const focused = document.activeElement;
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    focused.focus();
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copy(document.getElementById(button.dataset.copy).value);
    button.textContent = status.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; status.textContent = ""; }, 2000);
  });
}

for (const field of document.querySelectorAll("input[readonly]")) {
  field.addEventListener("focus", () => field.select());
}

// Remove a picture that cannot be loaded; its caption stays.
function remove(picture) {
  (picture.closest(".thumb") || picture).remove();
}
document.addEventListener("error", ({ target }) => { if (target.matches?.("main img")) remove(target); }, true);
for (const picture of document.querySelectorAll("main img")) {
  // It may have failed before this script ran.
  if (picture.complete && picture.currentSrc && !picture.naturalWidth) remove(picture);
}

// A panel closes by Escape, and when another one opens or the page is clicked.
const panels = [...document.querySelectorAll(".follow, .topics, .top details")];
function closePanels(except) {
  for (const panel of panels) if (panel !== except) panel.open = false;
}
document.addEventListener("click", ({ target }) => closePanels(target.closest("details")));
document.addEventListener("keydown", ({ key }) => {
  const open = panels.find((panel) => panel.open);
  if (key !== "Escape" || !open) return;
  open.open = false;
  open.firstElementChild.focus();
});

const find = document.querySelector(".find");
find?.addEventListener("toggle", () => { if (find.open) find.querySelector("[type=search]").focus(); });
document.querySelector(".choices nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// The device's own sheet, instead of the panel.
const share = document.querySelector(".share");
if (share && navigator.share) {
  share.firstElementChild.addEventListener("click", (event) => {
    event.preventDefault();
    // The promise is rejected if the reader shares with nobody.
    navigator.share({ ...share.dataset }).catch(() => {});
  });
}

// A table that is wider than the window takes the focus, so that the arrow keys scroll it. Windows are
// resized and phones are turned, so its size is observed.
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const wide of document.querySelectorAll(".body :is(table, pre)")) observer.observe(wide);

for (const list of document.querySelectorAll("[data-today]")) {
  const today = new Intl.DateTimeFormat("sv", { timeZone: list.dataset.zone }).format(); // as 2026-12-24
  for (const item of list.querySelectorAll(`[data-day="${today}"]`)) {
    const mark = document.createElement("span");
    mark.className = "badge now";
    mark.textContent = list.dataset.today;
    item.classList.add("today");
    item.querySelector(".when").prepend(mark, " ");
  }
}
