// The execution as swimlanes: a row for each node, a lane for each device, arrows for copies. Only
// the rows in view are drawn, so that a model may have as many as it likes.
"use strict";

const rowHeight = 24;
const boxHeight = 20;
const gutter = 58;
const stripWidth = 9;

// Colours of the theme that is on, for canvases.
function readColors() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const numbered = (name) => [0, 1, 2, 3, 4].map((i) => color(`${name}-${i}`));
  const names = ["surface", "sunken", "ink", "soft", "line", "accent", "select", "match", "copy"];
  const colors = Object.fromEntries(names.map((name) => [name, color(name)]));
  return {...colors, device: numbered("device"), fill: numbered("fill")};
}

// A canvas as sharp as the screen, measured in CSS pixels.
function prepareCanvas(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

// The pattern of each device: the same as its swatch in the style sheet.
function devicePatterns(colors) {
  return colors.device.map((color, device) => {
    if (device === 1) return color;
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const context = tile.getContext("2d");
    context.fillStyle = colors.fill[device];
    context.fillRect(0, 0, 6, 6);
    context.strokeStyle = color;
    context.lineWidth = 1.6;
    context.beginPath();
    const lines = [
      [[-1, 7, 7, -1], [-4, 4, 4, -4], [2, 10, 10, 2]],
      [],
      [[0, 3, 6, 3]],
      [[3, 0, 3, 6]],
      [[-1, -1, 7, 7], [-4, 2, 4, 10], [2, -4, 10, 4]],
    ][device];
    for (const [x1, y1, x2, y2] of lines) {
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
    }
    context.stroke();
    return context.createPattern(tile, "repeat");
  });
}

// Wider for more bytes: 1.5 for a few, 8 for a GiB.
const copyWidth = (copy) => Math.min(8, 1.5 + Math.log2(1 + copy.bytes.value / 1024) / 3);

// What stands in the other lane where the other end of a copy is no node.
function pillText({copy}) {
  if (copy.kind === "read_back") return "count, read back";
  if (copy.kind === "table") return "table";
  if (copy.kind === "stream") return `weight ${copy.value}`;
  return copy.consumers.includes("output") ? `output ${copy.value}` : `input ${copy.value}`;
}

class Lanes {
  // `onPick` is told what is clicked: {row} or {crossing}.
  constructor(onPick) {
    this.scroller = byId("lanes");
    this.canvas = byId("lanes-canvas");
    this.map = byId("map");
    this.onPick = onPick;
    this.selection = {};
    this.matches = new Set();
    this.names = new Map();  // shortened, by text and width
    this.pills = this.findPills();
    this.drawn = [];  // paths of the copies in view, for clicks
    this.scroller.addEventListener("scroll", () => this.redraw());
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.map.addEventListener("pointerdown", (event) => this.jump(event));
    this.map.addEventListener("pointermove", (event) => event.buttons && this.jump(event));
    new ResizeObserver(() => this.resize()).observe(this.scroller);
  }

  // Ends of copies that are no nodes, by row: {lane, crossings}.
  findPills() {
    const pills = new Map();
    for (const crossing of crossings) {
      const {copy, source, targets, fromLane, toLane} = crossing;
      const own = source !== undefined && targets.includes(source);
      const delivered = copy.consumers.includes("output");
      const row = source !== undefined ? source : targets[0];
      if (row === undefined || (source !== undefined && !own && !delivered)) continue;
      const lane = laneOf.get(nodes[row].device) === fromLane ? toLane : fromLane;
      if (!pills.has(row)) pills.set(row, {lane, crossings: []});
      pills.get(row).crossings.push(crossing);
    }
    return pills;
  }

  // ---- geometry ----

  resize() {
    this.width = this.scroller.clientWidth;
    this.height = this.scroller.clientHeight;
    const lanes = deviceIds.length;
    this.gap = this.width < 560 ? 40 : 84;
    this.laneWidth = Math.max(60, (this.width - gutter - 8 - this.gap * (lanes - 1)) / lanes);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.context = prepareCanvas(this.canvas, this.width, this.height);
    byId("lanes-height").style.height =
      `${Math.max(0, nodes.length * rowHeight - this.height)}px`;
    this.names.clear();
    this.drawHeads();
    this.recolor();
  }

  recolor() {
    this.colors = readColors();
    this.patterns = devicePatterns(this.colors);
    this.drawMapBase();
    this.redraw();
  }

  laneLeft(lane) { return gutter + lane * (this.laneWidth + this.gap); }
  rowMiddle(row) { return row * rowHeight + rowHeight / 2 - this.scroller.scrollTop; }

  drawHeads() {
    const heads = byId("lane-heads");
    heads.replaceChildren();
    deviceIds.forEach((id, lane) => {
      const style = `left:${this.laneLeft(lane)}px;width:${this.laneWidth}px`;
      const count = plural(report.devices[lane].nodes, "node", "nodes");
      heads.append(make("span", {style}, swatch(lane), `${deviceText(id)}  ·  ${count}`));
    });
  }

  // ---- drawing ----

  redraw() {
    if (this.pending || this.context === undefined) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
      this.drawMap();
    });
  }

  draw() {
    const {context, colors} = this;
    const first = Math.floor(this.scroller.scrollTop / rowHeight);
    const last = Math.min(nodes.length - 1, first + Math.ceil(this.height / rowHeight));
    context.fillStyle = colors.surface;
    context.fillRect(0, 0, this.width, this.height);
    context.textBaseline = "middle";
    for (let row = first; row <= last; ++row) this.drawRow(row);
    this.drawn = [];
    this.labels = [];
    for (const crossing of crossings) {
      const rows = [crossing.source, ...crossing.targets].filter((row) => row !== undefined);
      if (Math.max(...rows) < first || Math.min(...rows) > last) continue;
      this.drawCrossing(crossing);
    }
    for (const label of this.labels) this.drawLabelOfCopy(label);
  }

  font(weight, size) {
    const family = getComputedStyle(document.body).fontFamily;
    return `${weight} ${size}px ${family}`;
  }

  drawRow(row) {
    const {context, colors} = this;
    const node = nodes[row];
    const lane = laneOf.get(node.device);
    const middle = this.rowMiddle(row);
    const top = middle - boxHeight / 2;
    if (this.matches.has(row) || this.selection.row === row) {
      context.fillStyle = this.selection.row === row ? colors.select : colors.match;
      context.fillRect(0, middle - rowHeight / 2, this.width, rowHeight);
    }
    context.font = this.font(400, 11);
    context.textAlign = "right";
    context.fillStyle = colors.soft;
    context.fillText(countText(row + 1), gutter - 10, middle);
    const left = this.laneLeft(lane);
    this.drawBox(left, top, lane, this.selection.row === row);
    this.drawLabel(node, left + stripWidth + 7, this.laneWidth - stripWidth - 13, middle);
    const pill = this.pills.get(row);
    if (pill !== undefined) this.drawPill(pill, middle);
  }

  drawBox(left, top, lane, isSelected) {
    const {context, colors} = this;
    context.fillStyle = colors.fill[lane % 5];
    context.fillRect(left, top, this.laneWidth, boxHeight);
    context.fillStyle = this.patterns[lane % 5];
    context.fillRect(left, top, stripWidth, boxHeight);
    context.strokeStyle = isSelected ? colors.accent : colors.device[lane % 5];
    context.lineWidth = isSelected ? 2 : 1;
    context.strokeRect(left + 0.5, top + 0.5, this.laneWidth - 1, boxHeight - 1);
  }

  // Operator, name, and to the right its reason and its time, as far as there is room.
  drawLabel(node, left, width, middle) {
    const {context, colors} = this;
    let room = width;
    context.textAlign = "right";
    context.font = this.font(400, 11);
    context.fillStyle = colors.soft;
    const time = secondsText(ownSeconds(node));
    if (time && width > 150) {
      context.fillText(time, left + width, middle);
      room -= Math.max(52, context.measureText(time).width + 10);
    }
    if (node.reason.code !== "requested" && width > 230) {
      context.fillText(node.reason.code, left + room, middle);
      room -= context.measureText(node.reason.code).width + 10;
    }
    context.textAlign = "left";
    context.font = this.font(600, 12);
    context.fillStyle = colors.ink;
    const op = this.fit(node.op, room);
    context.fillText(op, left, middle);
    const used = context.measureText(op).width + 7;
    context.font = this.font(400, 12);
    context.fillStyle = colors.soft;
    if (room - used > 30) context.fillText(this.fit(node.name, room - used), left + used, middle);
  }

  drawPill(pill, middle) {
    const {context, colors} = this;
    const text = pill.crossings.map(pillText).join(", ");
    context.font = this.font(400, 11);
    const shown = this.fit(text, this.laneWidth - 16);
    const width = context.measureText(shown).width + 14;
    const left = this.pillLeft(pill, width);
    context.strokeStyle = colors.copy;
    context.lineWidth = 1;
    context.setLineDash([3, 2]);
    context.strokeRect(left + 0.5, middle - 8.5, width - 1, 17);
    context.setLineDash([]);
    context.textAlign = "left";
    context.fillStyle = colors.ink;
    context.fillText(shown, left + 7, middle);
    pill.width = width;
  }

  // Pills stand at the side of the lane that the node is on.
  pillLeft(pill, width) {
    const left = this.laneLeft(pill.lane);
    const {fromLane, toLane} = pill.crossings[0];
    const other = pill.lane === fromLane ? toLane : fromLane;
    return other > pill.lane ? left + this.laneWidth - width : left;
  }

  // The middle of a long text gives way.
  fit(text, width) {
    const key = `${this.context.font}|${Math.round(width)}|${text}`;
    if (this.names.has(key)) return this.names.get(key);
    let shown = text;
    if (this.context.measureText(text).width > width) {
      const characters = [...text];
      let low = 0, high = characters.length;
      const cut = (kept) => {
        const head = characters.slice(0, Math.ceil(kept / 2)).join("");
        return head + "…" + characters.slice(characters.length - Math.floor(kept / 2)).join("");
      };
      while (low < high) {
        const kept = (low + high + 1) >> 1;
        if (this.context.measureText(cut(kept)).width <= width) low = kept;
        else high = kept - 1;
      }
      shown = cut(low);
    }
    if (this.names.size > 5000) this.names.clear();
    this.names.set(key, shown);
    return shown;
  }

  drawCrossing(crossing) {
    const {context, colors} = this;
    const {copy, source, targets, fromLane, toLane} = crossing;
    const start = source !== undefined ? source : targets[0];
    const ends = targets.filter((row) => row !== source);
    if (copy.consumers.includes("output") || ends.length === 0) ends.push(start);
    const isSelected = this.selection.crossing === crossing;
    const width = copyWidth(copy) + (isSelected ? 1.5 : 0);
    const forward = toLane > fromLane ? 1 : -1;
    const edge = (lane, side) => this.laneLeft(lane) + (side > 0 ? this.laneWidth : 0);
    const x1 = edge(fromLane, forward), x2 = edge(toLane, -forward);
    context.strokeStyle = context.fillStyle = isSelected ? colors.accent : colors.copy;
    for (const end of new Set(ends)) {
      const y1 = this.rowMiddle(start), y2 = this.rowMiddle(end);
      const path = new Path2D();
      const tip = x2 - forward * 7;
      path.moveTo(x1, y1);
      const middle = x1 + forward * this.gap * (0.3 + 0.25 * ((start * 7) % 5) / 4);
      path.bezierCurveTo(middle, y1, middle, y2, tip, y2);
      context.lineWidth = width;
      context.globalAlpha = isSelected ? 1 : 0.75;
      context.stroke(path);
      context.globalAlpha = 1;
      context.beginPath();
      const half = 3.5 + width / 2;
      context.moveTo(x2, y2);
      context.lineTo(x2 - forward * 9, y2 - half);
      context.lineTo(x2 - forward * 9, y2 + half);
      context.fill();
      this.drawn.push({path, crossing});
      if (this.gap > 60) {
        const above = y2 - width / 2 - 6;
        const x = x2 - forward * 12, y = above < 8 ? y2 + width / 2 + 7 : above;
        this.labels.push({text: copyBytesText(copy), x, y, forward, isSelected});
      }
    }
  }

  // Above all arrows, with a rim that keeps it legible there.
  drawLabelOfCopy({text, x, y, forward, isSelected}) {
    const {context, colors} = this;
    context.font = this.font(isSelected ? 600 : 400, 10.5);
    context.textAlign = forward > 0 ? "right" : "left";
    context.strokeStyle = colors.surface;
    context.lineWidth = 3.5;
    context.lineJoin = "round";
    context.strokeText(text, x, y);
    context.fillStyle = isSelected ? colors.accent : colors.copy;
    context.fillText(text, x, y);
  }

  // ---- the map beside the lanes ----

  mapSize() { return {width: this.map.clientWidth, height: this.map.clientHeight}; }

  // Which devices are busy, from the first node to the last: more of a lane's colour for more nodes.
  drawMapBase() {
    const {width, height} = this.mapSize();
    this.mapBase = document.createElement("canvas");
    const context = prepareCanvas(this.mapBase, width, height);
    const lanes = deviceIds.length, lane = width / lanes;
    const lines = Math.max(1, Math.floor(height));
    for (let line = 0; line < lines; ++line) {
      const first = Math.floor((line * nodes.length) / lines);
      const last = Math.max(first + 1, Math.floor(((line + 1) * nodes.length) / lines));
      const counts = new Array(lanes).fill(0);
      for (let row = first; row < last && row < nodes.length; ++row) {
        ++counts[laneOf.get(nodes[row].device)];
      }
      counts.forEach((count, i) => {
        if (count === 0) return;
        context.globalAlpha = 0.35 + 0.65 * (count / (last - first));
        context.fillStyle = this.colors.device[i % 5];
        context.fillRect(i * lane + 3, line, lane - 6, 1);
      });
    }
  }

  drawMap() {
    const {width, height} = this.mapSize();
    const context = prepareCanvas(this.map, width, height);
    context.drawImage(this.mapBase, 0, 0, width, height);
    const perRow = height / Math.max(1, nodes.length);
    context.fillStyle = this.colors.copy;
    for (const row of this.matches) context.fillRect(0, row * perRow, width, Math.max(1, perRow));
    if (this.selection.row !== undefined) {
      context.fillStyle = this.colors.accent;
      context.fillRect(0, this.selection.row * perRow - 1, width, Math.max(3, perRow));
    }
    const total = Math.max(this.height, nodes.length * rowHeight);
    context.strokeStyle = this.colors.ink;
    context.lineWidth = 1.5;
    context.strokeRect(1, (this.scroller.scrollTop / total) * height, width - 2,
                       Math.max(6, (this.height / total) * height) - 1);
  }

  jump(event) {
    const {height} = this.mapSize();
    const row = (event.offsetY / height) * nodes.length;
    this.scroller.scrollTop = row * rowHeight - this.height / 2;
  }

  // ---- selection ----

  click(event) {
    for (const {path, crossing} of this.drawn) {
      this.context.lineWidth = 10;
      const scale = window.devicePixelRatio || 1;
      if (this.context.isPointInStroke(path, event.offsetX * scale, event.offsetY * scale)) {
        this.onPick({crossing});
        return;
      }
    }
    const row = Math.floor((event.offsetY + this.scroller.scrollTop) / rowHeight);
    if (row < nodes.length) this.onPick({row});
  }

  select(selection) {
    this.selection = selection;
    const {crossing} = selection;
    const row = crossing === undefined ? selection.row
                : crossing.source !== undefined ? crossing.source : crossing.targets[0];
    if (row !== undefined) this.reveal(row);
    this.redraw();
  }

  setMatches(rows) {
    this.matches = new Set(rows);
    this.redraw();
  }

  reveal(row) {
    const top = row * rowHeight;
    const {scrollTop} = this.scroller;
    if (top < scrollTop + rowHeight || top > scrollTop + this.height - 2 * rowHeight) {
      this.scroller.scrollTop = top - this.height / 2;
    }
  }

  visibleRows() { return Math.max(1, Math.floor(this.height / rowHeight) - 1); }
}
