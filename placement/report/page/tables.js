// A table of any number of rows: those in view are in the page, the others are not.
"use strict";

const tableRowHeight = 28;

class Table {
  // columns: {title, text(row), sort(row), width, right, wide, name, style(row)}; `wide` ones give
  // way on narrow screens, the middle of a `name` does where it is too long. onPick(row) is told which row was clicked or chosen with Enter.
  constructor(host, {label, columns, rows, sorted, onPick, empty}) {
    Object.assign(this, {columns, rows: [...rows], onPick});
    this.active = -1;
    if (rows.length === 0) {
      host.replaceChildren(make("div", {class: "table"}, make("p", {class: "empty"}, empty)));
      return;
    }
    const narrow = window.matchMedia("(max-width: 60rem)");
    const shape = () => {
      const shown = columns.filter((column) => !(narrow.matches && column.wide));
      return shown.map((column) => column.width).join(" ");
    };
    this.head = make("div", {class: "row head", role: "row"});
    this.body = make("div", {class: "rows", tabindex: "0", role: "rowgroup", "aria-label": label});
    this.space = make("div");
    this.body.append(this.space);
    columns.forEach((column) => this.head.append(this.heading(column)));
    const table = make("div", {class: "table", role: "table", "aria-label": label,
                               "aria-rowcount": rows.length + 1}, this.head, this.body);
    const reshape = () => {
      this.shape = shape();
      this.head.style.gridTemplateColumns = this.shape;
      this.render();
    };
    host.replaceChildren(table);
    this.body.style.height = `${Math.min(13, rows.length) * tableRowHeight}px`;
    this.space.style.height = `${rows.length * tableRowHeight}px`;
    this.body.addEventListener("scroll", () => this.render());
    this.body.addEventListener("keydown", (event) => this.key(event));
    narrow.addEventListener("change", reshape);
    if (sorted !== undefined) this.sortBy(columns[sorted]);
    reshape();
  }

  heading(column) {
    const button = make("button", {type: "button", onclick: () => this.sortBy(column)},
                        column.title);
    column.head = make("span", {role: "columnheader", class: this.classOf(column)}, button);
    return column.head;
  }

  classOf(column) {
    const classes = [column.right && "right", column.wide && "wide", column.name && "whole-end"];
    return classes.filter(Boolean).join(" ");
  }

  // Numbers largest first, text from A; again for the other way round.
  sortBy(column) {
    const value = column.sort || column.text;
    const numbers = typeof value(this.rows[0]) === "number";
    this.backwards = this.sorted === column ? !this.backwards : numbers;
    this.sorted = column;
    const sign = this.backwards ? -1 : 1;
    this.rows.sort((a, b) => {
      const x = value(a), y = value(b);
      return sign * (numbers ? x - y : String(x).localeCompare(String(y)));
    });
    for (const {head} of this.columns) head.removeAttribute("aria-sort");
    column.head.setAttribute("aria-sort", this.backwards ? "descending" : "ascending");
    this.active = -1;
    this.render();
  }

  render() {
    if (this.shape === undefined) return;
    const first = Math.max(0, Math.floor(this.body.scrollTop / tableRowHeight) - 3);
    const last = Math.min(this.rows.length, first + 20);
    const shown = [];
    for (let i = first; i < last; ++i) shown.push(this.rowElement(i));
    this.body.replaceChildren(this.space, ...shown);
  }

  rowElement(i) {
    const row = this.rows[i];
    const element = make("div", {
      class: i === this.active ? "row selected" : "row", role: "row", "aria-rowindex": i + 2,
      style: `top:${i * tableRowHeight}px;grid-template-columns:${this.shape}`,
      onclick: () => this.pick(i),
    });
    for (const column of this.columns) {
      const text = column.text(row);
      const classes = [this.classOf(column), column.style && column.style(row)];
      element.append(make("span", {role: "cell", class: classes.filter(Boolean).join(" "),
                                   title: column.right ? undefined : text},
                          ...(column.name ? this.halves(text) : [text])));
    }
    return element;
  }

  // The end of a name stays in view, its first part gives way.
  halves(text) {
    const characters = [...text];
    const kept = Math.min(16, Math.ceil(characters.length / 2));
    const split = characters.length - kept;
    return [make("span", {class: "gives-way"}, characters.slice(0, split).join("")),
            make("span", {}, characters.slice(split).join(""))];
  }

  pick(i) {
    this.active = i;
    this.render();
    this.onPick(this.rows[i]);
  }

  key(event) {
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9};
    if (event.key === "Enter" && this.active >= 0) {
      this.onPick(this.rows[this.active]);
    } else if (event.key in steps) {
      this.active = Math.min(this.rows.length - 1, Math.max(0, this.active + steps[event.key]));
      const top = this.active * tableRowHeight;
      const {scrollTop, clientHeight} = this.body;
      if (top < scrollTop) this.body.scrollTop = top;
      if (top + tableRowHeight > scrollTop + clientHeight) {
        this.body.scrollTop = top + tableRowHeight - clientHeight;
      }
      this.render();
    } else {
      return;
    }
    event.preventDefault();
  }
}
