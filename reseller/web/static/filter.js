// Rows of a table are filtered while one types; the form itself asks the server. `data-filters` names the table.
const form = document.querySelector("[data-filters]");
const table = document.getElementById(form.dataset.filters);
const status = document.querySelector(`[data-counts="${form.dataset.filters}"]`);
const words = status?.textContent ?? "";

function filter(typed) {
  const wanted = typed.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    row.hidden = !wanted.every((word) => row.dataset.says.includes(word));
    if (!row.hidden) shown += 1;
  }
  status.textContent = shown === table.tBodies[0].rows.length ? words : `${shown} of ${words}`;
}

if (table) form.querySelector("[type=search]").addEventListener("input", (event) => filter(event.target.value));
