// All results: a column's head sorts the rows, boxes filter models and data sets.
(() => {
  'use strict';
  const root = document.querySelector('.explorer');
  if (!root) return;

  const cellOf = (row, name) => [...row.cells].find((cell) => cell.dataset.dataset === name);

  /** What a row sorts by: its name, or the number of its cell; null where there is none. */
  function keyOf(row, name) {
    if (name === null) return row.dataset.model;
    const text = cellOf(row, name).dataset.value;
    return text === undefined ? null : Number(text.replace('inf', 'Infinity'));
  }

  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null); // blank ones come last
    return sign * (typeof a === 'string' ? a.localeCompare(b) : a - b);
  }

  function sortable(table) {
    const body = table.tBodies[0];
    if (!body) return;
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      const name = head.dataset.dataset ?? null;
      const first = name === null ? 'ascending' : table.dataset.order;
      const second = first === 'ascending' ? 'descending' : 'ascending';
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'sort';
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const now = head.getAttribute('aria-sort');
        const next = { [first]: second, [second]: null }[now] ?? (now ? null : first);
        for (const other of heads) other.removeAttribute('aria-sort');
        if (next) head.setAttribute('aria-sort', next);
        const sign = next === 'descending' ? -1 : 1;
        const sorted = next
          ? [...rows].sort((a, b) => compare(keyOf(a, name), keyOf(b, name), sign))
          : rows;
        body.append(...sorted);
      });
    }
  }

  root.querySelectorAll('table.matrix').forEach(sortable);
  page.choices(root, (kind, hidden) => {
    const of = kind === 'model' ? 'table.matrix tr[data-model]' : 'table.matrix [data-dataset]';
    for (const element of root.querySelectorAll(of)) {
      element.hidden = hidden.has(element.dataset[kind]);
    }
  });
})();
