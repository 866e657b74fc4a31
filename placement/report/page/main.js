// What the page does: selection, search, keys, and the theme.
"use strict";

// ---- the panel ------------------------------------------------------------------------------------

const link = (text, onclick) => make("button", {type: "button", class: "name", onclick}, text);

function nodeLink(name) {
  const row = rowOf.get(name);
  return row === undefined ? name : link(name, () => selectRow(row));
}

function tableOf(head, rows) {
  const line = (tag, cells) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
  return make("table", {}, line("th", head), ...rows.map((cells) => line("td", cells)));
}

// Each device: time there, and what moving the node there costs, or why it cannot run there.
function deviceRows(node) {
  return report.devices.map(({id}) => {
    const refusal = node.rejected.find((rejected) => rejected.device === id);
    const seconds = (node.predicted_seconds || {})[id];
    const move = (node.move_seconds || {})[id];
    const moved = id === node.device ? "it is here" :
        refusal ? "cannot run it" :
        move === undefined ? "" :
        move < 0 ? `${secondsText(-move)} less` : `${secondsText(move)} more`;
    return [deviceText(id), secondsText(seconds) || "–", moved];
  });
}

function nodePanel(row) {
  const node = nodes[row];
  const reason = input.reasons[node.reason.code] || {meaning: "", advice: ""};
  const panel = [
    make("h3", {}, node.name),
    make("p", {}, badge(node.op), badge(deviceText(node.device)), badge(`island ${node.island}`),
         badge(`${countText(row + 1)} of ${countText(nodes.length)}`)),
    make("h4", {}, "Why it is here"),
    make("p", {}, make("code", {}, node.reason.code), ` ${reason.meaning}`),
  ];
  if (node.reason.detail) panel.push(make("p", {class: "name"}, node.reason.detail));
  if (reason.advice) panel.push(make("p", {class: "soft"}, reason.advice));
  panel.push(make("h4", {}, "On each device"),
             tableOf(["device", "time of a run", "moved there, a run takes"], deviceRows(node)));
  if (node.rejected.length > 0) {
    panel.push(make("ul", {}, ...node.rejected.map(({device, code, detail}) =>
      make("li", {}, `${device}: `, make("code", {}, code), detail ? `, ${detail}` : ""))));
  }
  if (node.measured !== undefined) {
    panel.push(make("h4", {}, "Measured"), make("p", {}, secondsText(node.measured.seconds) +
      (node.measured.error === undefined ? "" : ` (${percentText(node.measured.error)})`)));
  }
  const touching = crossingsAt.get(row) || [];
  panel.push(make("h4", {}, "Copies"));
  panel.push(touching.length === 0 ? make("p", {class: "soft"}, "None.") :
    make("ul", {}, ...touching.map((crossing) => {
      const {copy} = crossing;
      const verb = crossing.source === row ? "written, then copied" : "read from a copy";
      return make("li", {}, link(copy.value, () => selectCrossing(crossing)),
                  ` ${copyBytesText(copy)}, ${copy.from} → ${copy.to}, ${verb}`);
    })));
  if (node.outputs !== undefined) {
    panel.push(make("h4", {}, "Outputs"),
               make("ul", {}, ...node.outputs.map((output) => make("li", {}, output))));
  }
  if (node.flops !== undefined || node.bytes !== undefined) {
    const flops = node.flops === undefined ? "" : flopsText(node.flops);
    const bytes = node.bytes === undefined ? "" :
        `${bytesText(Math.round(node.bytes))} read and written`;
    panel.push(make("h4", {}, "Work"), make("p", {}, [flops, bytes].filter(Boolean).join(", ")));
  }
  if (node.sources.length > 0) {
    panel.push(make("h4", {}, "From the ONNX nodes"),
               make("ul", {}, ...node.sources.map((source) => make("li", {}, source))));
  }
  return panel;
}

function copyPanel({copy}) {
  const bytes = copy.bytes.expression && copy.bytes.expression !== "?" ?
      `${copyBytesText(copy)} = ${copy.bytes.expression} bytes` : copyBytesText(copy);
  const panel = [
    make("h3", {}, copy.value),
    make("p", {}, badge("copy"), badge(`${copy.from} → ${copy.to}`), badge(occasionText(copy))),
    make("h4", {}, "Why it is made"),
    make("p", {}, make("code", {}, copy.kind), ` ${input.kinds[copy.kind] || ""}`),
    make("h4", {}, "Bytes"), make("p", {}, bytes),
  ];
  if (copy.seconds !== undefined) {
    panel.push(make("h4", {}, "Predicted time in a run"), make("p", {}, secondsText(copy.seconds)));
  }
  if (copy.measured !== undefined) {
    panel.push(make("h4", {}, "Measured"), make("p", {}, secondsText(copy.measured.seconds) +
      (copy.measured.error === undefined ? "" : ` (${percentText(copy.measured.error)})`)));
  }
  panel.push(make("h4", {}, "Written by"), make("p", {class: "name"}, nodeLink(copy.producer)),
             make("h4", {}, "Read by"),
             make("ul", {}, ...copy.consumers.slice(0, 50).map((name) =>
               make("li", {}, nodeLink(name)))));
  return panel;
}

function emptyPanel() {
  return [make("h3", {}, "Nothing selected"),
          make("p", {class: "soft"}, "Click a node or a copy, or use the arrow keys in the lanes: " +
            "here is then where it runs and why, how long it takes on each device, what moving " +
            "it would cost, and its copies.")];
}

// ---- selection ------------------------------------------------------------------------------------

let selection = {};
let lanes, charts;

function select(next) {
  selection = next;
  const {row, crossing} = next;
  const content = row !== undefined ? nodePanel(row) :
      crossing !== undefined ? copyPanel(crossing) : emptyPanel();
  byId("panel").replaceChildren(...content);
  byId("panel").scrollTop = 0;
  lanes.select(next);
  const colors = readColors();
  for (const chart of charts) chart.draw(colors, row);
  if (row !== undefined) {
    const node = nodes[row];
    byId("announcement").textContent = `${row + 1} of ${nodes.length}: ${node.op} ${node.name}, ` +
      `on ${deviceText(node.device)}, ${node.reason.code}, ${secondsText(ownSeconds(node))}`;
  } else if (crossing !== undefined) {
    const {copy} = crossing;
    byId("announcement").textContent =
      `Copy of ${copy.value}, ${copyBytesText(copy)}, from ${copy.from} to ${copy.to}`;
  }
}

// From elsewhere in the page: the lanes come into view as well.
function showExecution() { byId("execution").scrollIntoView({block: "start"}); }

function selectRow(row) {
  select({row});
  showExecution();
}

function selectCrossing(crossing) {
  select({crossing});
  showExecution();
}

// ---- search ---------------------------------------------------------------------------------------

let matches = [];

function setMatches(rows, text) {
  matches = rows;
  lanes.setMatches(rows);
  byId("matches").textContent = text;
}

const textOf = (node) => [node.name, node.op, node.device, node.reason.code, node.reason.detail,
                          ...node.sources].join("\n").toLowerCase();
let texts;

function search() {
  const wanted = byId("search").value.trim().toLowerCase();
  if (wanted === "") {
    setMatches([], "");
    return;
  }
  texts = texts || nodes.map(textOf);
  const rows = [];
  texts.forEach((text, row) => { if (text.includes(wanted)) rows.push(row); });
  setMatches(rows, rows.length === 0 ? "no match" : plural(rows.length, "match", "matches"));
  if (rows.length > 0) select({row: rows[0]});
}

function stepMatch(step) {
  if (matches.length === 0) return;
  const {row} = selection;
  let at = matches.indexOf(row);
  if (at >= 0) {
    at = (at + step + matches.length) % matches.length;
  } else {
    at = matches.findIndex((match) => row === undefined || match > row);
    if (at < 0) at = 0;
  }
  select({row: matches[at]});
  byId("matches").textContent = `${countText(at + 1)} of ${plural(matches.length, "match", "matches")}`;
}

function showNodes(group) {
  const {device, reason} = group[0];
  byId("search").value = "";
  const rows = group.map((node) => rowOf.get(node.name));
  setMatches(rows, `${plural(rows.length, "node", "nodes")} on ${device}: ${reason.code}`);
  selectRow(rows[0]);
  byId("lanes").focus({preventScroll: true});
}

// ---- keys -----------------------------------------------------------------------------------------

function islandStart(row, step) {
  const {island} = nodes[row];
  let at = row;
  while (at + step >= 0 && at + step < nodes.length && nodes[at].island === island) at += step;
  // Going back, the first node of the island.
  while (step < 0 && at > 0 && nodes[at - 1].island === nodes[at].island) --at;
  return at;
}

function laneKey(event) {
  const row = selection.row !== undefined ? selection.row : -1;
  const page = lanes.visibleRows();
  const rows = {
    ArrowDown: row + 1, ArrowUp: row - 1, PageDown: row + page, PageUp: row - page,
    Home: 0, End: nodes.length - 1,
    ArrowRight: row < 0 ? 0 : islandStart(row, 1), ArrowLeft: row < 0 ? 0 : islandStart(row, -1),
  };
  if (event.key === "Enter") {
    byId("panel").focus();
  } else if (event.key in rows) {
    select({row: Math.min(nodes.length - 1, Math.max(0, rows[event.key]))});
  } else {
    return;
  }
  event.preventDefault();
}

function pageKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = byId("search");
  if (event.key === "/" && document.activeElement !== field) {
    event.preventDefault();
    showExecution();
    field.focus();
    field.select();
  } else if (event.key === "Escape") {
    if (field.value !== "" || matches.length > 0) {
      field.value = "";
      setMatches([], "");
    } else {
      select({});
    }
    if (document.activeElement === field) byId("lanes").focus({preventScroll: true});
  }
}

// ---- theme ----------------------------------------------------------------------------------------

const darkSystem = window.matchMedia("(prefers-color-scheme: dark)");
let theme = "auto";

function applyTheme() {
  const dark = theme === "dark" || (theme === "auto" && darkSystem.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = `Theme: ${theme}`;
  if (lanes === undefined || lanes.context === undefined) return;
  lanes.recolor();
  const colors = readColors();
  for (const chart of charts) chart.draw(colors);
}

function nextTheme() {
  const order = ["auto", "light", "dark"];
  theme = order[(order.indexOf(theme) + 1) % order.length];
  applyTheme();
}

// ---- start ----------------------------------------------------------------------------------------

// Sections that are scrolled to stop below the heading, where that stays in view.
function keepClearOfHeading() {
  const heading = document.querySelector("header");
  const stays = getComputedStyle(heading).position === "sticky";
  document.documentElement.style.scrollPaddingTop = `${stays ? heading.offsetHeight + 12 : 12}px`;
}

function start() {
  applyTheme();
  lanes = new Lanes(select);
  charts = drawMemory(selectRow);
  drawHeading();
  drawTiles();
  drawReasons(showNodes, selectRow);
  drawCopyTable(selectCrossing);
  drawWeights();
  drawMeasured(selectRow, selectCrossing);
  drawRequest();
  byId("stage").style.setProperty("--rows", nodes.length);
  byId("legend").replaceChildren(...deviceIds.map((id, lane) =>
    make("span", {}, swatch(lane), deviceText(id))));
  select({});
  new ResizeObserver(keepClearOfHeading).observe(document.querySelector("header"));
  byId("theme").addEventListener("click", nextTheme);
  darkSystem.addEventListener("change", applyTheme);
  byId("search").addEventListener("input", search);
  byId("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") stepMatch(event.shiftKey ? -1 : 1);
  });
  byId("previous").addEventListener("click", () => stepMatch(-1));
  byId("next").addEventListener("click", () => stepMatch(1));
  byId("lanes").addEventListener("keydown", laneKey);
  document.addEventListener("keydown", pageKey);
}

start();
