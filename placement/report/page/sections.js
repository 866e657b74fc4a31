// The sections of the page that are text, bars and tables.
"use strict";

// ---- heading --------------------------------------------------------------------------------------

function drawHeading() {
  document.title = `Placement of ${report.model.name}`;
  byId("model").textContent = report.model.name;
  byId("summary").textContent = input.summary;
  const badges = [];
  for (const device of report.devices) {
    const caveat = caveatText(device);
    if (caveat) badges.push(badge(`${device.id} is ${caveat}`, true));
  }
  const opset = report.model.opset[""];
  if (opset !== undefined) badges.push(badge(`opset ${opset}`));
  badges.push(badge(plural(nodes.length, "node", "nodes")));
  badges.push(badge(`asked: ${askedText()}`));
  byId("badges").replaceChildren(...badges);
}

const askedText = () => [...requested].map(deviceText).join(", ") +
    (report.request.fallback === "cpu" ? ", CPU allowed" : "");

const assumedText = () => report.assumed_symbols.length === 0 ? "" :
    ` at ${report.assumed_symbols.map((symbol) => `${symbol}=1`).join(", ")}`;

// ---- tiles ----------------------------------------------------------------------------------------

// rows: {label, value, text, lane or color}; bars share one scale.
function bars(rows) {
  const most = Math.max(...rows.map((row) => row.value), Number.MIN_VALUE);
  const cells = rows.flatMap(({label, value, text, lane, color}) => {
    const style = `width:${(100 * value) / most}%` + (color ? `;background:var(--${color})` : "");
    const fill = make("i", {class: lane === undefined ? "" : `patterned d${lane % 5}`, style});
    return [make("span", {}, label), make("div", {class: "bar", "aria-hidden": "true"}, fill),
            make("span", {}, text)];
  });
  return make("div", {class: "bars"}, ...cells);
}

function tile(title, number, about, rows) {
  return make("div", {class: "tile"}, make("h3", {}, title), make("div", {class: "number"}, number),
              make("div", {class: "about"}, about), bars(rows));
}

function timeTile() {
  const predicted = report.prediction;
  if (predicted === undefined) return [];
  const rows = [{label: "This placement", value: predicted.seconds, color: "accent"}];
  const other = (label, value) => value !== undefined && rows.push({label, value, color: "soft"});
  other("Greedy", predicted.device_first_seconds);
  other("All on CPU", predicted.cpu_seconds);
  other("Lower bound", predicted.lower_bound_seconds);
  if (report.measured) {
    rows.push({label: "Measured", value: report.measured.seconds, color: "good"});
  }
  for (const row of rows) row.text = secondsText(row.value);
  const parts = predicted.kernel_seconds === undefined ? "One run" :
      `Kernels ${secondsText(predicted.kernel_seconds)}, copies ` +
      secondsText(predicted.copy_seconds);
  return [tile("Predicted time of a run", secondsText(predicted.seconds), parts + assumedText(),
               rows)];
}

function nodeTile() {
  const there = sum(report.devices.filter((device) => requested.has(device.id)), (d) => d.nodes);
  const rows = report.devices.map((device, lane) => ({
    label: deviceText(device.id), value: device.nodes, text: countText(device.nodes), lane}));
  const runs = groupBy(nodes, (node) => node.island).size;
  return [tile("Nodes", `${countText(there)} of ${countText(nodes.length)}`,
               `on ${[...requested].join(", ")}; ${plural(runs, "island", "islands")}`, rows)];
}

function copyTile() {
  const totals = report.run_copies;
  const all = totals.host_to_device + totals.device_to_host + totals.device_to_device;
  const more = totals.open ? ", and more that data or trips decide" : "";
  const rows = [["To devices", totals.host_to_device], ["To the host", totals.device_to_host],
                ["Between devices", totals.device_to_device]]
    .filter(([, value], i) => i < 2 || value > 0)
    .map(([label, value]) => ({label, value, text: bytesText(value), color: "copy"}));
  return [tile("Copies in a run", countText(totals.count), bytesText(all) + more + assumedText(),
               rows)];
}

function memoryTile() {
  const rows = report.devices.filter((device) => device.memory).map((device) => {
    const {peak, limit, known} = device.memory;
    const text = bytesText(peak) + (known ? "" : "+") + (limit ? ` of ${bytesText(limit)}` : "");
    return {label: deviceText(device.id), value: peak, text, lane: laneOf.get(device.id)};
  });
  if (rows.length === 0) return [];
  const largest = rows.reduce((a, b) => (b.value > a.value ? b : a));
  return [tile("Memory at its peak", bytesText(largest.value), `on ${largest.label}`, rows)];
}

function drawTiles() {
  byId("tiles").replaceChildren(...timeTile(), ...nodeTile(), ...copyTile(), ...memoryTile());
}

// ---- reasons --------------------------------------------------------------------------------------

// Groups of nodes with one device and one reason; those that were asked elsewhere first.
function reasonGroups() {
  const groups = [...groupBy(nodes, (node) => `${node.device} ${node.reason.code}`).values()];
  const isElsewhere = (group) => !requested.has(group[0].device);
  return groups.sort((a, b) => isElsewhere(b) - isElsewhere(a) || b.length - a.length);
}

function groupElement(group, showNodes) {
  const {device, reason} = group[0];
  const names = new Set(group.map((node) => node.name));
  const caused = crossings.map(({copy}) => copy)
    .filter((copy) => names.has(copy.producer) || copy.consumers.some((name) => names.has(name)));
  const text = input.reasons[reason.code] || {meaning: "", advice: ""};
  const details = counted(group.map((node) => node.reason.detail).filter(Boolean));
  const list = make("ul", {class: "details"});
  for (const detail of details.slice(0, 3)) list.append(make("li", {}, detail));
  if (details.length > 3) list.append(make("li", {}, `and ${details.length - 3} more`));
  const ops = counted(group.map((node) => node.op));
  const facts = [];
  if (group.some((node) => ownSeconds(node) !== undefined)) {
    facts.push(make("div", {}, `kernels ${secondsText(sum(group, ownSeconds))}`));
  }
  if (!requested.has(device) && caused.length > 0) {
    facts.push(make("div", {}, plural(caused.length, "copy", "copies") + ", " +
                               bytesText(sum(caused, (copy) => copy.bytes.value))));
    const seconds = sum(caused, (copy) => copy.seconds);
    if (seconds > 0) facts.push(make("div", {}, `copies ${secondsText(seconds)}`));
  }
  facts.push(make("button", {type: "button", onclick: () => showNodes(group)},
                  "Show in the execution"));
  return make("div", {class: "group"},
    make("div", {class: "count"}, countText(group.length)),
    make("div", {},
      make("h3", {}, swatch(laneOf.get(device)), `on ${deviceText(device)}: `,
           make("code", {}, reason.code)),
      make("p", {}, text.meaning),
      make("p", {class: "advice"}, text.advice),
      make("p", {class: "ops"}, ops.slice(0, 12).join(", ") +
                                (ops.length > 12 ? `, ${ops.length - 12} more` : "")),
      details.length > 0 ? list : ""),
    make("div", {class: "facts"}, ...facts));
}

// Single nodes that would make a run shorter elsewhere; of a plan that is the fastest there is none.
function movesElement(selectRow) {
  const moves = [];
  nodes.forEach((node, row) => {
    for (const [device, seconds] of Object.entries(node.move_seconds || {})) {
      if (seconds < 0) moves.push({node, row, device, seconds});
    }
  });
  const any = nodes.some((node) => node.move_seconds !== undefined);
  if (moves.length === 0) {
    return any ? make("p", {class: "hint"}, "Moving any one node to another device would make no " +
                                            "run shorter.") : "";
  }
  moves.sort((a, b) => a.seconds - b.seconds);
  const list = make("ul", {class: "details"});
  for (const {node, row, device, seconds} of moves.slice(0, 10)) {
    const button = make("button", {type: "button", onclick: () => selectRow(row)}, node.name);
    list.append(make("li", {}, button, ` to ${deviceText(device)}: ${secondsText(-seconds)} less`));
  }
  if (moves.length > 10) list.append(make("li", {}, `and ${moves.length - 10} more`));
  return make("div", {class: "tile"},
              make("h3", {}, "Nodes that would make a run shorter on another device"),
              make("p", {class: "about"}, "Each alone, its copies included. --pin NAME=DEVICE " +
                                          "moves one, --policy fastest finds the best of all."),
              list);
}

function drawReasons(showNodes, selectRow) {
  byId("groups").replaceChildren(...reasonGroups().map((group) => groupElement(group, showNodes)));
  byId("moves").replaceChildren(movesElement(selectRow));
}

// ---- tables ---------------------------------------------------------------------------------------

const numberColumn = (title, text, sort, width = "5.5rem") =>
  ({title, text, sort, width, right: true});

function drawCopyTable(selectCrossing) {
  const loads = report.copies.filter((copy) => copy.when === "load");
  byId("copies-hint").textContent =
    "Of one run; a copy is made once for each value and destination, however many nodes read it." +
    (loads.length === 0 ? "" :
      ` ${plural(loads.length, "upload", "uploads")} at load (` +
      `${bytesText(sum(loads, (copy) => copy.bytes.value))}) are not among them.`);
  const of = (pick) => ({copy}) => pick(copy);
  const columns = [
    {title: "Value", width: "minmax(0,2fr)", name: true, text: of((copy) => copy.value)},
    {title: "From, to", width: "6.4rem", text: of((copy) => `${copy.from} → ${copy.to}`)},
    numberColumn("Bytes", of(copyBytesText), of((copy) => copy.bytes.value)),
    numberColumn("Time", of((copy) => secondsText(copy.seconds)), of((copy) => copy.seconds || 0),
                 "4.6rem"),
    {title: "Producer", width: "minmax(0,2fr)", wide: true, name: true, text: of((copy) => copy.producer)},
    {title: "Consumers", width: "minmax(0,2fr)", wide: true, name: true,
     text: of((copy) => copy.consumers.join(", "))},
    {title: "When", width: "9rem", wide: true, text: of(occasionText)},
    {title: "Size", width: "minmax(0,1fr)", wide: true,
     text: of((copy) => copy.bytes.expression === "?" ? "" : copy.bytes.expression || "")},
  ];
  return new Table(byId("copy-table"), {
    label: "Copies", columns, rows: crossings, sorted: 2, onPick: selectCrossing,
    empty: "Nothing crosses between devices in a run."});
}

function drawWeights() {
  const homes = groupBy(report.weights, (weight) => weight.homes.join(" and "));
  byId("homes").replaceChildren(...[...homes].map(([home, weights]) =>
    make("div", {class: "tile"},
         make("h3", {}, swatch(laneOf.get(weights[0].homes[0])), `on ${home || "no device"}`),
         make("div", {class: "number"}, bytesText(sum(weights, (weight) => weight.bytes))),
         make("div", {class: "about"}, plural(weights.length, "weight", "weights")))));
  const spilled = new Map((report.spilled || []).map((weight) => [weight.name, weight]));
  const columns = [
    {title: "Weight", width: "minmax(0,3fr)", name: true, text: (weight) => weight.name},
    {title: "Type", width: "minmax(0,1fr)", text: (weight) => `${weight.dtype}${weight.shape}`},
    numberColumn("Bytes", (weight) => bytesText(weight.bytes), (weight) => weight.bytes),
    {title: "Homes", width: "minmax(6rem,1fr)", text: (weight) => weight.homes.join(", ")},
    {title: "Spilled", width: "minmax(0,1fr)", wide: true, text: ({name}) => {
      const weight = spilled.get(name);
      if (weight === undefined) return "";
      return weight.streamed ? "streamed in every run" : `no room on ${weight.device}`;
    }},
  ];
  new Table(byId("weight-table"), {
    label: "Weights", columns, rows: report.weights, sorted: 2, onPick: () => {},
    empty: "The model has no weights."});
}

function drawMeasured(selectRow, selectCrossing) {
  const run = report.measured;
  if (run === undefined) return;
  byId("measured").hidden = byId("to-measured").hidden = false;
  const peaks = Object.entries(run.peak_bytes || {}).map(([id, bytes]) => {
    const device = report.devices[laneOf.get(id)];
    return `peak on ${id} ${bytesText(bytes)}` +
           (device ? `, predicted ${bytesText(device.memory.peak)}` : "");
  });
  const predicted = report.prediction ? report.prediction.seconds : undefined;
  byId("measured-hint").textContent =
    `A run took ${secondsText(run.seconds)}` +
    (predicted === undefined ? "" : `; ${secondsText(predicted)} were predicted ` +
                                    `(${percentText(run.error)})`) +
    `. Kernels ${secondsText(run.kernel_seconds)}, copies ${secondsText(run.copy_seconds)}.` +
    peaks.map((peak) => ` ${peak}.`).join("").replace(/ peak/g, " Peak");
  const rows = [];
  nodes.forEach((node, row) => {
    if (node.measured === undefined) return;
    rows.push({what: "node", name: node.name, on: node.device, predicted: ownSeconds(node),
               measured: node.measured, pick: () => selectRow(row)});
  });
  for (const crossing of crossings) {
    const {copy} = crossing;
    if (copy.measured === undefined) continue;
    rows.push({what: "copy", name: copy.value, on: `${copy.from} → ${copy.to}`,
               predicted: copy.seconds, measured: copy.measured,
               pick: () => selectCrossing(crossing)});
  }
  const off = (row) => row.measured.seconds - (row.predicted || 0);
  new Table(byId("measured-table"), {
    label: "Predicted and measured", rows, sorted: 5, onPick: (row) => row.pick(),
    empty: "The run measured no single node.", columns: [
      {title: "What", width: "4rem", wide: true, text: (row) => row.what},
      {title: "Name", width: "minmax(0,3fr)", name: true, text: (row) => row.name},
      {title: "Where", width: "minmax(7rem,auto)", wide: true, text: (row) => row.on},
      numberColumn("Predicted", (row) => secondsText(row.predicted), (row) => row.predicted || 0),
      numberColumn("Measured", (row) => secondsText(row.measured.seconds),
                   (row) => row.measured.seconds),
      {...numberColumn("Off by", (row) => (off(row) > 0 ? "+" : "") + secondsText(off(row)),
                       (row) => Math.abs(off(row))),
       style: (row) => (off(row) > 0 ? "bad" : "good")},
      {...numberColumn("Error", (row) => percentText(row.measured.error),
                       (row) => row.measured.error || 0), wide: true},
    ]});
}

// ---- what was asked -------------------------------------------------------------------------------

function drawRequest() {
  const {request, model} = report;
  const list = byId("request-list");
  const entry = (term, ...lines) => {
    const filled = lines.filter((line) => line !== undefined && line !== "");
    if (filled.length === 0) return;
    list.append(make("dt", {}, term), make("dd", {}, ...filled.map((line) => make("div", {}, line))));
  };
  const pairs = (object) => Object.entries(object || {}).map(([key, value]) => `${key} = ${value}`);
  const opsets = Object.entries(model.opset)
    .map(([domain, version]) => `${domain || "ai.onnx"} ${version}`).join(", ");
  entry("Model", `${model.name}, opsets ${opsets || "unknown"}`,
        model.fingerprint && `fingerprint ${model.fingerprint}`);
  entry("Asked", `${askedText()}; policy ${request.policy}`, `outputs on ${request.outputs_on}`);
  entry("Sizes", pairs(request.dims).join(", "), report.assumed_symbols.length > 0 &&
        `counted as 1, since no size was given: ${report.assumed_symbols.join(", ")}` || "");
  entry("Memory limits", ...Object.entries(request.memory_limits || {})
    .map(([id, limit]) => `${id}: ${bytesText(limit)}`));
  entry("Rules", ...(report.rules || []).map(({rule, device, nodes: matched}) =>
    `${rule}: ${plural(matched, "node", "nodes")} on ${device}`));
  entry("Plan by size", input.sizes, ...(report.size_ranges || []).map((range) =>
    `${range.first} to ${range.last}: ${pairs(range.nodes).join(", ")} nodes; ` +
    `${secondsText(range.first_seconds)} to ${secondsText(range.last_seconds)}`));
  entry("Spilled", ...(report.spilled || []).slice(0, 20).map((weight) =>
    `${weight.name}, ${bytesText(weight.bytes)}: ` +
    (weight.streamed ? `streamed to ${weight.device} in every run` :
                       `no room on ${weight.device}, its nodes are on the CPU`) +
    `; ${secondsText(weight.seconds)} a run`),
    (report.spilled || []).length > 20 ? `and ${report.spilled.length - 20} more` : "");
  entry("Devices", ...report.devices.map((device) =>
    `${deviceText(device.id)}: ${device.name}` +
    (device.profile ? `; times by ${device.profile}` : "")));
  entry("Where numbers come from", ...(report.prediction ? report.prediction.profiles : []));
}

// ---- memory ---------------------------------------------------------------------------------------

class MemoryChart {
  constructor(device, selectRow) {
    this.device = device;
    this.lane = laneOf.get(device.id);
    this.readout = make("span", {class: "soft"});
    const {memory} = device;
    this.base = memory.weights + memory.workspace;
    const parts = [`weights ${bytesText(memory.weights)}`,
                   `activations ${bytesText(memory.activations)}`,
                   `workspace ${bytesText(memory.workspace)}`];
    if (memory.limit !== undefined) parts.push(`limit ${bytesText(memory.limit)}`);
    if (memory.problem) parts.push(`not known: ${memory.problem}`);
    else if (!memory.known) parts.push("sizes that only a run knows are not counted");
    this.canvas = make("canvas", {role: "img", "aria-label":
      `Memory on ${deviceText(device.id)}: ${parts.join(", ")}`});
    this.element = make("div", {class: "chart"},
      make("div", {class: "head"}, make("h3", {}, swatch(this.lane), deviceText(device.id)),
           make("span", {}, `peak ${bytesText(memory.peak)}`),
           make("span", {class: "soft"}, parts.join(", ")), this.readout));
    if (memory.steps === undefined) return;
    this.element.append(this.canvas);
    const rowAt = (event) => Math.min(memory.steps.length - 1, Math.max(0, Math.floor(
      ((event.offsetX - this.left) / (this.canvas.clientWidth - this.left)) * memory.steps.length)));
    this.canvas.addEventListener("pointermove", (event) => {
      const row = rowAt(event);
      this.readout.textContent =
        `${bytesText(this.base + memory.steps[row])} at ${countText(row + 1)}, ${nodes[row].name}`;
    });
    this.canvas.addEventListener("pointerleave", () => { this.readout.textContent = ""; });
    this.canvas.addEventListener("click", (event) => selectRow(rowAt(event)));
    new ResizeObserver(() => this.draw(readColors())).observe(this.canvas);
  }

  draw(colors, selected = this.selected) {
    const {memory} = this.device;
    this.selected = selected;
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (memory.steps === undefined || width === 0) return;
    const context = prepareCanvas(this.canvas, width, height);
    const most = Math.max(memory.limit || 0, memory.peak, 1) * 1.06;
    this.left = 74;
    const bottom = height - 18;
    const y = (bytes) => bottom - (bytes / most) * (bottom - 6);
    const x = (row) => this.left + (row / memory.steps.length) * (width - this.left);
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = colors.soft;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const bytes = (most / 1.06) * share;
      context.fillText(bytesText(Math.round(bytes)), this.left - 8, y(bytes));
      context.fillRect(this.left, y(bytes), width - this.left, 0.5);
    }
    context.textBaseline = "alphabetic";
    context.fillText(plural(memory.steps.length, "node", "nodes"), width, height - 4);
    // The most of all nodes that share a pixel.
    const line = new Path2D();
    const columns = Math.min(memory.steps.length, Math.floor(width - this.left));
    for (let column = 0; column < columns; ++column) {
      const first = Math.floor((column * memory.steps.length) / columns);
      const last = Math.floor(((column + 1) * memory.steps.length) / columns);
      let top = 0;
      for (let row = first; row < last; ++row) top = Math.max(top, memory.steps[row]);
      line.lineTo(x(first), y(this.base + top));
      line.lineTo(x(last), y(this.base + top));
    }
    const area = new Path2D(line);
    area.lineTo(width, bottom);
    area.lineTo(this.left, bottom);
    context.fillStyle = colors.fill[this.lane % 5];
    context.fill(area);
    context.fillStyle = devicePatterns(colors)[this.lane % 5];
    context.globalAlpha = 0.35;
    context.fillRect(this.left, y(this.base), width - this.left, bottom - y(this.base));
    context.globalAlpha = 1;
    context.strokeStyle = colors.device[this.lane % 5];
    context.lineWidth = 1.5;
    context.stroke(line);
    if (memory.limit !== undefined) {
      context.strokeStyle = colors.copy;
      context.setLineDash([6, 4]);
      context.strokeRect(this.left, y(memory.limit), width - this.left, 0);
      context.setLineDash([]);
    }
    if (selected !== undefined) {
      context.fillStyle = colors.accent;
      context.fillRect(x(selected), 4, 1.5, bottom - 4);
    }
  }
}

function drawMemory(selectRow) {
  const charts = report.devices.filter((device) => device.memory)
    .map((device) => new MemoryChart(device, selectRow));
  byId("memory-charts").replaceChildren(...charts.map((chart) => chart.element));
  return charts;
}
