"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const value = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text);
    return text === "" || text === "–" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };

  // Tables: a button in each head sorts by its column; what is undefined stays last
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row, place) => [value(row.cells[column]), place, row]);
        rows.sort((a, b) => {
          const order = compare(a[0], b[0]);
          const last = a[0] === null || b[0] === null;
          return (up || last ? order : -order) || a[1] - b[1];
        });
        body.append(...rows.map((row) => row[2]));
      });
    });
  }

  // Filters of rows: text that a row holds
  for (const input of all("input[data-rows]")) {
    const rows = all(`#${input.dataset.rows} tbody tr`);
    const said = document.getElementById(`${input.dataset.rows}-count`);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let left = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        left += !row.hidden;
      }
      said.textContent = `${left} of ${rows.length}`;
    });
  }

  // Galleries: text, kind, truth and order together
  for (const gallery of all(".gallery")) {
    const cards = all("article", gallery);
    const tools = all(`[data-gallery="${gallery.id}"]`);
    const said = document.getElementById(`${gallery.id}-count`);
    const update = () => {
      const set = Object.fromEntries(tools.map((tool) => [tool.name, tool.value]));
      const wanted = (set.text ?? "").trim().toLowerCase();
      let left = 0;
      for (const card of cards) {
        const is = (card.dataset.kinds ?? "").split(" ");
        card.hidden = !(
          card.textContent.toLowerCase().includes(wanted) &&
          (!set.kind || is.includes(set.kind)) && (!set.truth || card.dataset.truth === set.truth)
        );
        left += !card.hidden;
      }
      said.textContent = `${left} of ${cards.length}`;
      const [key, way] = (set.order ?? "").split(" ");
      if (!key) return;
      const read = (card) => value({ dataset: { value: card.dataset[key] ?? "" }, textContent: "" });
      const sorted = [...cards].sort((a, b) => {
        const [one, two] = [read(a), read(b)];
        const order = compare(one, two);
        return way === "down" && one !== null && two !== null ? -order : order;
      });
      gallery.append(...sorted);
    };
    tools.forEach((tool) => tool.addEventListener("input", update));
  }

  // Panels: one at a time, chosen by name
  for (const chooser of all("select[data-panels]")) {
    const panels = all(`#${chooser.dataset.panels} > section`);
    const show = () => panels.forEach((panel, place) => { panel.hidden = place !== chooser.selectedIndex; });
    chooser.addEventListener("input", show);
    chooser.closest(".tools").hidden = panels.length < 2;
    show();
  }

  // "/" goes to the first filter
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const first = document.querySelector("input[type=search]");
    if (first) { event.preventDefault(); first.focus(); }
  });
})();
