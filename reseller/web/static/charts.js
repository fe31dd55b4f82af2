// Draws the figures of a page: <div class="chart" data-figure="ID"> with a <script type="application/json" id="ID"> of
// Plotly's `data` and `layout`. Colours come from tokens.css; a theme that changes redraws. Text of figures stays text.

/* global Plotly */

const probe = document.createElement("span");
probe.hidden = true;

// A token's colour as the browser computes it: the token itself says light-dark(…).
function colour(token) {
  probe.style.color = `var(--${token})`;
  return getComputedStyle(probe).color;
}

function translucent(rgb, alpha) {
  return rgb.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);
}

// Figures say "token:good" or "token:series-3" where a colour differs from the series' order. Tones of text are too dark to fill with.
const FILLS = new Set(["good", "warn", "bad", "info"]);
function withTokens(value) {
  if (typeof value === "string" && value.startsWith("token:")) {
    const token = value.slice(6);
    return colour(FILLS.has(token) ? `${token}-solid` : token);
  }
  if (Array.isArray(value)) return value.map(withTokens);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withTokens(v)]));
  return value;
}

// Plotly reads <b>, <a href> and the like in labels as markup, and entities; what comes from data is neither.
function asText(value) {
  if (typeof value === "string") return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  if (Array.isArray(value)) return value.map(asText);
  return value;
}

const WORDS = new Set(["name", "text", "hovertext", "labels", "customdata", "x", "y"]); // what data fills, names chosen by others included

function trace(given) {
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, WORDS.has(key) ? asText(value) : withTokens(value)]));
}

function axis(given, faint, line) {
  return {
    automargin: true, gridcolor: line, zerolinecolor: line, linecolor: line, tickcolor: line, tickfont: { color: faint, size: 11 },
    fixedrange: true, ...withTokens(given ?? {}), ...(given?.ticktext && { ticktext: asText(given.ticktext) }),
  };
}

// Names beside bars that lie have at most half of the width; longer ones lose their middle.
function namesThatFit(data, width) {
  if (data[0]?.orientation !== "h") return {};
  const most = Math.max(16, Math.floor(width / 14));
  const shown = data[0].y.map((name) => (name.length > most ? `${name.slice(0, most - 11)}…${name.slice(-10)}` : name));
  return { tickvals: asText(data[0].y), ticktext: asText(shown) };
}

// How many labels of this length stand side by side.
function labelsThatFit(data, width) {
  if (data[0]?.orientation === "h") return Math.max(2, Math.floor(width / 110));
  const longest = Math.max(4, ...data.flatMap(({ x }) => x ?? []).map((label) => String(label).length));
  return Math.max(2, Math.floor(width / (longest * 7 + 24)));
}

function layout(given, fitting, names) {
  const text = colour("text");
  const soft = colour("text-soft");
  const faint = colour("text-faint");
  const line = colour("line");
  const own = given ?? {};
  const drawn = {
    ...withTokens(own),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: [1, 2, 3, 4, 5, 6].map((n) => colour(`series-${n}`)),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft },
    margin: { l: 8, r: 8, t: 8, b: 8, pad: 4, ...own.margin },
    hovermode: own.hovermode ?? "x unified",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line-strong"), font: { color: text, size: 12 }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: soft, size: 12 }, ...withTokens(own.legend ?? {}) },
    bargap: own.bargap ?? 0.3,
    barcornerradius: 2,
    dragmode: false,
    autosize: true,
  };
  for (const key of new Set(["xaxis", "yaxis", ...Object.keys(own).filter((name) => /^[xy]axis\d*$/.test(name))])) {
    drawn[key] = axis(own[key], faint, line);
  }
  drawn.yaxis = { ...drawn.yaxis, ...names };
  drawn.xaxis = { showgrid: false, tickangle: 0, ...drawn.xaxis, nticks: Math.min(own.xaxis?.nticks ?? fitting, fitting) };
  return drawn;
}

const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: false };

function draw(place) {
  const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  const data = figure.data ?? [];
  const width = place.clientWidth;
  Plotly.react(place, data.map(trace), layout(figure.layout, labelsThatFit(data, width), namesThatFit(data, width)), CONFIG);
  lead(place, figure.links);
}

// A figure with `links` leads from each point to what it counts; the table below has the same links.
function lead(place, links) {
  if (!links || place.classList.contains("leads")) return;
  place.classList.add("leads");
  place.on("plotly_click", ({ points: [point] }) => links[point.pointIndex] && location.assign(links[point.pointIndex]));
}

export function drawAll() {
  document.body.append(probe);
  for (const place of document.querySelectorAll(".chart[data-figure]")) draw(place);
  probe.remove();
}

drawAll();
document.addEventListener("themechange", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
