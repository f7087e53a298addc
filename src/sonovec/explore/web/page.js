// The page of a map: reads the data that it carries, and joins the points with their legend, search, card, list and player.
// Text from files is only ever set as text, never as HTML.

import { PointMap } from "./points.js";

const PALETTE = ["#2f7ed8", "#e4572e", "#2a9d62", "#a05cc5", "#d99a00", "#17a2b8", "#d6458b", "#7a8b1f", "#8a5a3b", "#5566dd", "#e08fb0", "#5f7f8f"];
const OTHER = "#8d949c";
const RAMP = ["#3b4cc0", "#4f8bd6", "#46b5a5", "#8bbf4d", "#e0b030", "#e2703a"]; // numbers, from low to high
const LISTED = 200; // entries of the list that are shown; files that are saved have all

const $ = (id) => document.getElementById(id);

// The data: gzip of a length, a head in JSON, and the arrays that the head tells of.
async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 4) * 4;
  const kinds = { f4: Float32Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
  const array = ({ kind, at, count }) => new kinds[kind](buffer, start + at, count);
  const texts = ({ at, count }) => JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, start + at, count)));
  return { head, array, texts };
}

const { head, array, texts } = await unpacked($("data").textContent);
const places = array(head.places), strength = array(head.strength);
const ids = texts(head.ids), paths = texts(head.paths), titles = texts(head.titles);
const columns = new Map(head.columns.map((column) => [column.name, read(column)]));
const thumbnails = head.thumbnails ? texts(head.thumbnails) : {};
const count = paths.length;

function read(column) {
  const made = { ...column };
  for (const part of ["codes", "numbers", "starts"]) if (column[part]) made[part] = array(column[part]);
  if (column.values) made.values = texts(column.values);
  return made;
}

// What a track has in a column, as people read it.
function shown(column, i) {
  if (column.type === "number") return Number.isNaN(column.numbers[i]) ? "" : String(+column.numbers[i].toPrecision(4));
  if (column.type === "list")
    return [...column.codes.subarray(column.starts[i], column.starts[i + 1])].map((code) => column.values[code]).join(", ");
  return column.values[column.codes[i]] ?? "";
}

// -- colours and legend

let groups, legend, hidden = new Set(), matches = null;

// Of each track its entry in the legend, and the entries: the most frequent values, or equal steps of a number.
function grouped(column) {
  if (column.type === "number") return byNumber(column);
  const of = (i) => (column.type === "list" ? (column.starts[i] < column.starts[i + 1] ? column.codes[column.starts[i]] : 0) : column.codes[i]);
  const counts = new Map();
  for (let i = 0; i < count; i++) counts.set(of(i), (counts.get(of(i)) ?? 0) + 1);
  const none = counts.get(0) ?? 0, others = counts.get(1) ?? 0; // codes of no value, and of values that are too many to keep
  counts.delete(0);
  counts.delete(1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const top = ranked.slice(0, PALETTE.length), rest = ranked.slice(PALETTE.length).reduce((sum, [, n]) => sum + n, others);
  const entries = top.map(([code, n], k) => ({ name: column.values[code], colour: PALETTE[k], count: n }));
  const distinct = column.distinct;
  if (rest) entries.push({ name: `other (${(distinct - top.length).toLocaleString()} values)`, colour: OTHER, count: rest });
  if (none) entries.push({ name: "none", colour: OTHER, count: none });
  const place = new Map(top.map(([code], k) => [code, k]));
  const groups = new Uint16Array(count);
  for (let i = 0; i < count; i++) groups[i] = of(i) === 0 ? entries.length - 1 : (place.get(of(i)) ?? top.length);
  const first = column.type === "list" ? ", by the first of each track" : "";
  const told = rest ? `the ${top.length} most frequent of ${distinct.toLocaleString()} values` : `${distinct} values`;
  return { groups, legend: entries, told: `${column.name}: ${told}${first}` };
}

function byNumber(column) {
  const known = column.numbers.filter((value) => !Number.isNaN(value)).sort();
  const at = (part) => known[Math.min(known.length - 1, Math.floor(part * known.length))];
  // Steps of equal width between the 2nd and the 98th of 100, so that one odd value does not take all colours.
  const [low, high] = [at(0.02), at(0.98)], step = (high - low) / RAMP.length || 1;
  const groups = new Uint16Array(count), counts = new Array(RAMP.length + 1).fill(0);
  for (let i = 0; i < count; i++) {
    const value = column.numbers[i];
    const k = Math.max(0, Math.min(RAMP.length - 1, Math.floor((value - low) / step)));
    groups[i] = Number.isNaN(value) ? RAMP.length : k;
    counts[groups[i]]++;
  }
  const write = (value) => +value.toPrecision(3);
  const entries = RAMP.map((colour, k) => ({
    name: k === 0 ? `below ${write(low + step)}` : k === RAMP.length - 1 ? `from ${write(low + k * step)}` : `${write(low + k * step)} to ${write(low + (k + 1) * step)}`,
    colour,
    count: counts[k],
  }));
  if (counts[RAMP.length]) entries.push({ name: "none", colour: OTHER, count: counts[RAMP.length] });
  return { groups, legend: entries, told: `${column.name}: ${RAMP.length} steps of equal width` };
}

function chooseColumn(name) {
  const column = columns.get(name);
  hidden = new Set();
  if (column) {
    const found = grouped(column);
    [groups, legend] = [found.groups, found.legend];
    $("told").textContent = found.told;
  } else {
    groups = new Uint16Array(count);
    legend = [{ name: "all tracks", colour: PALETTE[0], count }];
    $("told").textContent = "";
  }
  $("legend").replaceChildren(...legend.map(entryOf));
  recolour();
}

function entryOf({ name, colour, count: tracks }, k) {
  const entry = document.createElement("button"), swatch = document.createElement("span");
  entry.setAttribute("aria-pressed", "true");
  entry.title = name;
  swatch.className = "swatch";
  swatch.style.background = colour;
  entry.append(swatch, textOf("span", name), textOf("span", tracks.toLocaleString()));
  entry.addEventListener("click", () => {
    hidden.has(k) ? hidden.delete(k) : hidden.add(k);
    entry.setAttribute("aria-pressed", String(!hidden.has(k)));
    recolour();
  });
  return entry;
}

function textOf(element, text) {
  const made = document.createElement(element);
  made.textContent = text;
  return made;
}

function recolour() {
  const rgb = legend.map(({ colour }) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const colours = new Uint8Array(4 * count);
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(places[head.dims * i]) || hidden.has(groups[i])) continue;
    colours.set(rgb[groups[i]], 4 * i);
    const faint = matches && !matches[i] ? 0.08 : 1;
    colours[4 * i + 3] = Math.max(1, Math.round(230 * strength[i] * faint));
  }
  map.setColours(colours);
}

// -- search

let haystack;
function search(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) {
    matches = null;
    recolour();
    say("");
    return;
  }
  const tags = columns.get(head.tags);
  haystack ??= Array.from({ length: count }, (_, i) => `${titles[i]}\n${paths[i]}\n${tags ? shown(tags, i) : ""}`.toLowerCase());
  matches = Uint8Array.from(haystack, (text) => wanted.every((word) => text.includes(word)));
  recolour();
  select([...matches.keys()].filter((i) => matches[i]));
}

// -- card, list, player

const map = new PointMap($("points"), $("overlay"), places, head.dims);
let selection = [], current = -1;

function card(i, x, y) {
  map.focus = i;
  map.redraw();
  const box = $("card");
  box.hidden = i < 0;
  if (i < 0) return;
  const facts = head.card
    .map((name) => [name, shown(columns.get(name), i)])
    .filter(([, value]) => value)
    .map(([name, value]) => textOf("span", `${name.replaceAll("_", " ")}: ${value}`));
  const picture = thumbnails[ids[i]];
  const drawn = picture ? [Object.assign(document.createElement("img"), { src: `data:image/png;base64,${picture}`, alt: "spectrogram" })] : [];
  const doubt = strength[i] < 0.5 ? [textOf("span", "faint: its neighbours here are not its neighbours in the space")] : [];
  box.replaceChildren(textOf("strong", titles[i]), textOf("span", paths[i]), ...facts, ...doubt, ...drawn);
  const [width, height] = [$("overlay").clientWidth, $("overlay").clientHeight];
  box.style.left = `${Math.max(0, Math.min(x + 14, width - box.offsetWidth - 8))}px`;
  box.style.top = `${Math.max(0, Math.min(y + 14, height - box.offsetHeight - 8))}px`;
}

function uri(path) {
  if (path.startsWith("file://")) return path;
  const parts = path.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
  return `file://${path.startsWith("/") ? "" : "/"}${parts.replace(/^([A-Za-z])%3A/, "$1:")}`;
}

function play(i) {
  current = i;
  const [bar, player] = [$("player"), $("player").querySelector("audio")];
  bar.hidden = false;
  bar.querySelector("span").textContent = titles[i];
  player.src = uri(paths[i]);
  player.play().catch(() => {
    bar.querySelector("span").textContent = `${titles[i]}: the browser cannot play ${paths[i]}`;
  });
}

const counted = (tracks) => `${tracks.toLocaleString()} ${tracks === 1 ? "track" : "tracks"}`;

function select(indices) {
  selection = indices;
  $("selected").hidden = !indices.length;
  $("selected").querySelector("h2").textContent = counted(indices.length);
  $("list").replaceChildren(
    ...indices.slice(0, LISTED).map((i) => {
      const item = document.createElement("li"), button = textOf("button", titles[i]);
      button.title = paths[i];
      button.addEventListener("click", () => {
        go(i);
        play(i);
      });
      item.append(button);
      return item;
    }),
  );
  if (indices.length > LISTED) $("list").append(textOf("li", `and ${(indices.length - LISTED).toLocaleString()} more, which the files have`));
  say(`${counted(indices.length)} listed`);
}

function go(i) {
  if (i < 0 || Number.isNaN(places[head.dims * i])) return;
  current = i;
  const [x, y] = map.pixel(i), [width, height] = [$("overlay").clientWidth, $("overlay").clientHeight];
  if (x < 20 || y < 20 || x > width - 20 || y > height - 20) map.pan(width / 2 - x, height / 2 - y);
  card(i, ...map.pixel(i));
  say(`${titles[i]}, ${head.card.map((name) => shown(columns.get(name), i)).filter(Boolean).join(", ")}`);
}

function say(text) {
  $("said").textContent = text;
}

// The next track of the list, or, without one, of those in view from left to right.
function step(by) {
  const tracks = selection.length ? selection : map.inView().sort((a, b) => map.pixel(a)[0] - map.pixel(b)[0]);
  const at = tracks.indexOf(current);
  if (tracks.length) go(tracks[at < 0 ? (by > 0 ? 0 : tracks.length - 1) : (at + by + tracks.length) % tracks.length]);
}

function save(name, kind, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const cell = (text) => `"${String(text).replaceAll('"', '""')}"`;
const oneLine = (text) => text.replace(/[\r\n]+/g, " ");

export function m3u8() {
  const duration = columns.get("duration");
  const playable = selection.filter((i) => !/[\r\n]/.test(paths[i])); // the format has no way to write the others
  const lines = playable.map((i) => `#EXTINF:${Math.round(duration?.numbers?.[i] || -1)},${oneLine(titles[i])}\n${paths[i]}\n`);
  return `#EXTM3U\n${lines.join("")}`;
}

export function csv() {
  const names = [...columns.keys()];
  const rows = selection.map((i) => [ids[i], paths[i], titles[i], ...places.subarray(head.dims * i, head.dims * (i + 1)), ...names.map((name) => shown(columns.get(name), i))]);
  const top = ["id", "path", "title", ...["x", "y", "z"].slice(0, head.dims), ...names];
  return [top, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

map.onHover = card;
map.onPick = (i) => {
  go(i);
  play(i);
};
map.onLasso = (indices) => {
  select(indices);
  lasso(false);
};

function lasso(on) {
  map.lassoing = on;
  $("lasso").setAttribute("aria-pressed", String(on));
  $("overlay").classList.toggle("lasso", on);
}

function clear() {
  select([]);
  lasso(false);
  card(-1);
  $("search").value = "";
  search("");
}

$("lasso").addEventListener("click", () => lasso(!map.lassoing));
$("view").addEventListener("click", () => select(map.inView()));
$("whole").addEventListener("click", () => map.whole());
$("clear").addEventListener("click", clear);
$("m3u8").addEventListener("click", () => save(`${head.name}.m3u8`, "application/vnd.apple.mpegurl", m3u8()));
$("csv").addEventListener("click", () => save(`${head.name}.csv`, "text/csv", csv()));
let waiting;
$("search").addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => search(event.target.value), 150);
});
const KEYS = { n: () => step(1), p: () => step(-1), v: () => select(map.inView()), Enter: () => current >= 0 && play(current), Escape: clear };
$("overlay").addEventListener("keydown", (event) => {
  if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  KEYS[event.key]();
  event.preventDefault();
});

$("by").append(...["", ...columns.keys()].map((name) => new Option(name ? name.replaceAll("_", " ") : "nothing", name)));
$("by").value = columns.has(head.by) ? head.by : "";
$("by").addEventListener("change", (event) => chooseColumn(event.target.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.redraw());
chooseColumn($("by").value);

// For tests, and for whoever looks into the page.
globalThis.sonovecMap = { map, head, titles, select, go, play, m3u8, csv, get selection() { return selection; } };
