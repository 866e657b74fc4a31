// The report as data: what its lists refer to one another by, and how numbers and names are
// written. Names come from the model, whoever made that: they reach the page as text alone.
"use strict";

const input = JSON.parse(document.getElementById("data").textContent);
const report = input.report;
const nodes = report.nodes;
const deviceIds = report.devices.map((device) => device.id);
const laneOf = new Map(deviceIds.map((id, lane) => [id, lane]));
const rowOf = new Map(nodes.map((node, row) => [node.name, row]));
const requested = new Set([report.request.device, ...(report.request.more_devices || [])]);

// Copies of a run, with the rows and lanes that they join; uploads at load have no place in a run.
const crossings = report.copies
  .filter((copy) => copy.when !== "load")
  .map((copy) => ({
    copy,
    fromLane: laneOf.get(copy.from),
    toLane: laneOf.get(copy.to),
    source: rowOf.get(copy.producer),
    targets: copy.consumers.map((name) => rowOf.get(name)).filter((row) => row !== undefined),
  }));

// Of each node, the copies that it writes or reads.
const crossingsAt = new Map();
for (const crossing of crossings) {
  for (const row of new Set([crossing.source, ...crossing.targets])) {
    if (row === undefined) continue;
    if (!crossingsAt.has(row)) crossingsAt.set(row, []);
    crossingsAt.get(row).push(crossing);
  }
}

// ---- words ----------------------------------------------------------------------------------------

function bytesText(count) {
  if (count < 1024) return `${count} B`;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit + 1 < units.length) {
    count /= 1024;
    ++unit;
  }
  return `${count.toFixed(1)} ${units[unit]}`;
}

function flopsText(flops) {
  const units = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"];
  let unit = 0;
  while (flops >= 1000 && unit + 1 < units.length) {
    flops /= 1000;
    ++unit;
  }
  return `${Number(flops.toPrecision(3))} ${units[unit]}`;
}

function secondsText(seconds) {
  if (seconds === undefined) return "";
  if (seconds < 0) return "−" + secondsText(-seconds);
  for (const [size, unit] of [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]]) {
    if (seconds >= 0.9995 * size) return `${Number((seconds / size).toPrecision(3))} ${unit}`;
  }
  return `${Number((seconds * 1e9).toPrecision(3))} ns`;
}

function percentText(part) {
  if (part === undefined) return "";
  return `${part < 0 ? "−" : "+"}${(100 * Math.abs(part)).toFixed(1)} %`;
}

const countText = (count) => count.toLocaleString("en-US");
const plural = (count, one, many) => `${countText(count)} ${count === 1 ? one : many}`;

function copyBytesText(copy) {
  if (copy.bytes.expression === "?") return "data decides";
  return bytesText(copy.bytes.value);
}

function occasionText(copy) {
  if (copy.when === "load") return "at load";
  if (copy.when === "trip") return `each trip, ${plural(copy.times, "trip", "trips")}`;
  return "each run";
}

// "simulated", "assumed", both or nothing.
function caveatText(device) {
  return [device.simulated && "simulated", device.assumed && "assumed"].filter(Boolean).join(", ");
}

function deviceText(id) {
  const device = report.devices[laneOf.get(id)];
  const caveat = device ? caveatText(device) : "";
  return caveat ? `${id} (${caveat})` : id;
}

const ownSeconds = (node) => (node.predicted_seconds || {})[node.device];
const sum = (items, valueOf) => items.reduce((total, item) => total + (valueOf(item) || 0), 0);

// Groups in the order in which their keys first come.
function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

// "Conv ×3", most frequent first.
function counted(words) {
  return [...groupBy(words, (word) => word)]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([word, same]) => (same.length === 1 ? word : `${word} ×${countText(same.length)}`));
}

// ---- elements -------------------------------------------------------------------------------------

// make("p", {class: "hint"}, "text", child): attributes, `onclick` and the like, and children, of
// which strings become text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

const byId = (id) => document.getElementById(id);
const swatch = (lane) => make("span", {class: `swatch patterned d${lane % 5}`});
const badge = (text, warn) => make("span", {class: warn ? "badge warn" : "badge"}, text);
