// Who beats whom: counts over the data sets that are ticked, rows and columns in another order.
(() => {
  'use strict';
  const root = document.querySelector('.wins');
  if (!root) return;
  const table = root.querySelector('.duels');
  const body = table.tBodies[0];
  const heads = table.tHead.rows[0];
  const rows = [...body.rows];
  const names = rows.map((row) => row.dataset.model);
  const datasets = [...root.querySelectorAll('.choices input')].map((box) => box.value);
  const order = root.querySelector('[data-order]');
  let hidden = new Set();

  /** On how many of the ticked data sets a family is better, not told apart, worse. */
  function counted(told) {
    const letters = [...told].filter((_, i) => !hidden.has(datasets[i]));
    return ['w', 'u', 'l'].map((letter) => letters.filter((other) => other === letter).length);
  }

  function show(cell, counts) {
    const n = Math.max(1, counts[0] + counts[1] + counts[2]);
    [...cell.querySelectorAll('.stacked i')].forEach((part, i) => {
      part.style.width = `${(100 * counts[i]) / n}%`;
    });
    cell.querySelector('.counts').textContent = counts.join(' · ');
  }

  /** Count anew; how many wins each family has. */
  function count() {
    const wins = new Map();
    for (const row of rows) {
      const sum = [0, 0, 0];
      for (const cell of row.querySelectorAll('td[data-told]')) {
        const counts = counted(cell.dataset.told);
        counts.forEach((n, i) => { sum[i] += n; });
        const button = cell.querySelector('button');
        if (!button) continue;
        show(cell, counts);
        button.setAttribute('aria-label', `${row.dataset.model} against ${cell.dataset.model}: ` +
          `better on ${counts[0]}, can't tell on ${counts[1]}, worse on ${counts[2]}`);
      }
      show(row.querySelector('.all'), sum);
      wins.set(row.dataset.model, sum[0]);
    }
    return wins;
  }

  function update() {
    const wins = count();
    const sorted = [...names];
    if (order.value === 'wins') sorted.sort((a, b) => wins.get(b) - wins.get(a));
    if (order.value === 'name') sorted.sort((a, b) => a.localeCompare(b));
    const arrange = (cells) => {
      const found = new Map(cells.map((cell) => [cell.dataset.model, cell]));
      return sorted.map((name) => found.get(name));
    };
    for (const row of [heads, ...rows]) {
      const cells = [...row.cells];
      row.append(...arrange(cells.slice(1, -1)), cells[cells.length - 1]);
    }
    body.append(...arrange(rows));
  }

  order.addEventListener('change', update);
  page.choices(root, (_, without) => {
    hidden = without;
    for (const row of root.querySelectorAll('.pair tr[data-dataset]')) {
      row.hidden = hidden.has(row.dataset.dataset);
    }
    update();
  });
})();
