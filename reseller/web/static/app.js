// What pages do beyond links and forms. Everything here is an addition: without it pages still read and forms still send.

// Confirmation: the form stands in the <dialog> behind its button; dismissing sends nothing.
function openDialog(button) {
  const dialog = button.nextElementSibling;
  dialog.showModal();
  const reason = dialog.querySelector("textarea");
  (reason ?? dialog.querySelector("[data-closes-dialog]")).focus();
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copies);
  if (button.classList.contains("is-done")) return;
  const label = button.getAttribute("aria-label");
  button.classList.add("is-done");
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.classList.remove("is-done");
    button.setAttribute("aria-label", label);
  }, 1500);
}

function shownTheme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

function toggleTheme() {
  const theme = shownTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  document.dispatchEvent(new Event("themechange"));
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const opener = target.closest("[data-opens-dialog]");
  if (opener) return openDialog(opener);
  if (target.closest("[data-closes-dialog]")) return target.closest("dialog").close();
  if (target instanceof HTMLDialogElement && isOutside(target, event)) return target.close();
  const copier = target.closest("[data-copies]");
  if (copier) return copy(copier);
  if (target.closest("[data-prints]")) return window.print();
  if (target.closest("[data-toggles-theme]")) return toggleTheme();
  return openRow(event);
});

function isOutside(dialog, { clientX, clientY }) {
  const box = dialog.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}

// A row of a table leads where its first link leads; text in it can still be selected.
function openRow(event) {
  const row = event.target.closest("tr[data-href]");
  if (!row || event.target.closest("a, button, input, select, textarea, label, summary, dialog")) return;
  if (String(getSelection())) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
  else location.assign(row.dataset.href);
}

// `form.method` may be a field of that name.
const posts = (form) => form.getAttribute("method")?.toLowerCase() === "post";

// On a phone, filters that nobody set stay folded.
const phone = matchMedia("(max-width: 40rem)");
function foldFilters() {
  document.querySelectorAll("details[data-folds]").forEach((details) => { details.open = !phone.matches; });
}
foldFilters();
phone.addEventListener("change", foldFilters);

// Filters that are empty stay out of the address.
document.addEventListener("formdata", (event) => {
  if (posts(event.target)) return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

// A form sends once, however often its button is pressed; a while later again, should nothing have come of it.
const SENDING_MILLISECONDS = 5000;
const sending = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!posts(form)) return;
  if (sending.has(form)) return event.preventDefault();
  sending.add(form);
  setTimeout(() => sending.delete(form), SENDING_MILLISECONDS);
});

// What is cut off in a cell is told whole on hover.
document.addEventListener("mouseover", ({ target }) => {
  if (target.matches(".rows td > a:not([title])") && target.scrollWidth > target.clientWidth) target.title = target.textContent;
});

// Keys: "/" goes to the search box.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
  const box = document.querySelector(".top-bar input[type=search]");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// A table that is wider than its box takes the focus, so that arrow keys scroll it where nothing inside could be focused.
const boxes = new ResizeObserver((entries) => {
  for (const { target: box } of entries) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll(".scroll:not([tabindex])")) boxes.observe(box);

// Relative times stay true while a page stands open; the words are those of the filter `ago`.
const UNITS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [86400 * 60, 86400, "day"], [86400 * 730, 2629800, "month"], [Infinity, 31557600, "year"]];

function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 5) return seconds >= 0 ? "just now" : "now";
  const [, unit, name] = UNITS.find(([limit]) => size < limit);
  const count = Math.floor(size / unit);
  const text = `${count} ${name}${name.length > 2 && name !== "min" && count !== 1 ? "s" : ""}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}

setInterval(refreshTimes, 30_000);
document.addEventListener("visibilitychange", () => document.hidden || refreshTimes());
