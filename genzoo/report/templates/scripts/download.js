// Buttons beside every figure and table: the picture as SVG, the numbers as CSV.
(() => {
  'use strict';
  const NUMBER = /^(≥|≤|≈|<|>)?\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?:\s*±\s*(\d+(?:\.\d+)?))?(?:\s*(%))?$/;
  const BREAKS = '.note, .small, br, p, div, li';
  const UNSEEN = '.js-only, button.take, script, style';
  const INHERITED = [
    'fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linejoin',
    'stroke-linecap', 'stroke-opacity', 'color', 'font-family', 'font-size', 'font-weight',
    'font-style', 'text-anchor', 'visibility',
  ];
  const OWN = { opacity: '1', display: 'inline', 'dominant-baseline': 'auto' };
  const COLOURS = ['fill', 'stroke', 'color'];

  // ----------------------------------------------------------------- numbers

  /** A field of a CSV; what a spreadsheet would take for a formula is made text. */
  function field(value) {
    let text = String(value ?? '');
    if (/^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text))) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  const csv = (rows) => `${rows.map((row) => row.map(field).join(',')).join('\r\n')}\r\n`;

  /** The lines of a cell's text, as they are laid out. */
  function linesOf(cell) {
    let text = '';
    const walk = (node) => {
      if (node.nodeType === Node.TEXT_NODE) text += node.data.replace(/\s+/g, ' ');
      if (node.nodeType !== Node.ELEMENT_NODE || node.matches(UNSEEN)) return;
      if (node.matches(BREAKS)) text += '\n';
      node.childNodes.forEach(walk);
    };
    cell.childNodes.forEach(walk);
    return text.split('\n').map((line) => line.trim()).filter(Boolean);
  }

  /** A number as computers write it: U+2212 is its minus, U+202F stands between thousands. */
  const plain = (text) =>
    text.replaceAll('\u2212', '-').replace(/(\d)\u202f(?=\d)/g, '$1').replaceAll('\u200b', '');

  /** What a cell says: its value, its error, the mark of its kind, counts, small print. */
  function read(cell) {
    const [first = '', ...rest] = linesOf(cell);
    const text = plain(first);
    const found = NUMBER.exec(text);
    const known = cell.dataset.value;
    return {
      value: known ?? (found ? found[2] : text),
      error: found?.[3] ?? '',
      kind: found?.[1] ?? '',
      counts: text.includes(' · ') ? text.split(' · ') : [],
      note: [found ? found[4] : known && text, ...rest.map(plain)].filter(Boolean).join('; '),
    };
  }

  /** The cells of a table as a grid: what spans several places stands in each. */
  function gridOf(table) {
    const grid = [];
    const rows = [...table.rows].filter((row) => !row.hidden);
    rows.forEach((row, y) => {
      grid[y] ??= [];
      let x = 0;
      for (const cell of [...row.cells].filter((c) => !c.hidden)) {
        while (grid[y][x]) x += 1;
        for (let dy = 0; dy < cell.rowSpan && y + dy < rows.length; dy += 1) {
          grid[y + dy] ??= [];
          for (let dx = 0; dx < cell.colSpan; dx += 1) grid[y + dy][x + dx] = cell;
        }
        x += cell.colSpan;
      }
    });
    return { grid, heads: rows.filter((row) => row.closest('thead')).length };
  }

  const partOf = (cell, part) =>
    (typeof part === 'number' ? cell?.counts[part] : cell?.[part]) ?? '';

  /** A table's rows: beside a column of numbers stand their errors, kinds and small print. */
  function rowsOf(table) {
    const { grid, heads } = gridOf(table);
    const titles = (grid[heads - 1] ?? []).map((cell) => plain(linesOf(cell).join(' ')));
    const cells = grid.slice(heads).map((row) => row.map(read));
    const width = Math.max(titles.length, ...cells.map((row) => row.length));
    const parts = table.dataset.parts?.split('|') ?? [];
    const columns = [];
    for (let x = 0; x < width; x += 1) {
      const title = titles[x] ?? '';
      const counted = parts.length && cells.some((row) => row[x]?.counts.length === parts.length);
      if (counted) parts.forEach((name, i) => columns.push([`${title} ${name}`.trim(), i, x]));
      else columns.push([title, 'value', x]);
      for (const [part, name] of [['error', '±'], ['kind', 'kind'], ['note', 'note']]) {
        if (cells.some((row) => row[x]?.[part])) columns.push([`${title} ${name}`.trim(), part, x]);
      }
    }
    return [
      columns.map(([title]) => title),
      ...cells.map((row) => columns.map(([, part, x]) => partOf(row[x], part))),
    ];
  }

  // ----------------------------------------------------------------- pictures

  const brush = document.createElement('canvas').getContext('2d');

  /** A colour as any viewer of images knows it. */
  function known(colour) {
    if (colour === 'none') return colour;
    brush.fillStyle = '#000';
    brush.fillStyle = colour;
    return brush.fillStyle;
  }

  function paint(from, to, above) {
    const style = getComputedStyle(from);
    for (const name of INHERITED) {
      const value = style.getPropertyValue(name);
      if (above && above.getPropertyValue(name) === value) continue;
      to.style.setProperty(name, COLOURS.includes(name) ? known(value) : value);
    }
    for (const [name, usual] of Object.entries(OWN)) {
      const value = style.getPropertyValue(name);
      if (value !== usual && from.tagName !== 'svg') to.style.setProperty(name, value);
    }
    to.removeAttribute('class');
    for (const name of Object.keys(to.dataset)) delete to.dataset[name];
    [...from.children].forEach((child, i) => paint(child, to.children[i], style));
  }

  /** A figure that stands by itself: its colours and fonts written out, on the page's ground. */
  function standalone(svg) {
    const copy = svg.cloneNode(true);
    paint(svg, copy, null);
    const [x, y, width, height] = svg.getAttribute('viewBox').split(/[\s,]+/);
    copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    copy.setAttribute('width', width);
    copy.setAttribute('height', height);
    const ground = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    const panel = getComputedStyle(document.documentElement).getPropertyValue('--panel').trim();
    const place = { x, y, width, height, fill: known(panel) };
    for (const [name, value] of Object.entries(place)) ground.setAttribute(name, value);
    copy.prepend(ground);
    copy.querySelectorAll('a').forEach((link) => link.removeAttribute('href'));
    // characters that no XML may hold
    return new XMLSerializer().serializeToString(copy).replace(/[\0-\b\v\f\x0e-\x1f]/g, '');
  }

  // ----------------------------------------------------------------- buttons

  const slug = (text) =>
    text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 80);

  function button(format, name, type, made) {
    const element = document.createElement('button');
    element.type = 'button';
    element.className = 'take';
    element.textContent = format;
    element.setAttribute('aria-label', `Download ${name} as ${format}`);
    element.addEventListener('click', () => {
      const file = `${slug(`${document.title} ${name}`)}.${format.toLowerCase()}`;
      page.download(file, type, made());
    });
    return element;
  }

  function offer(place, beside, buttons) {
    const box = document.createElement('div');
    box.className = 'takes';
    box.append(...buttons);
    beside[place](box);
  }

  const asTable = (name, rows) => button('CSV', name, 'text/csv', () => csv(rows()));

  for (const svg of document.querySelectorAll('main svg[role="img"][viewBox]')) {
    const name = svg.getAttribute('aria-label') || 'figure';
    const buttons = [button('SVG', name, 'image/svg+xml', () => standalone(svg))];
    if (svg.dataset.numbers) buttons.push(asTable(name, () => JSON.parse(svg.dataset.numbers)));
    const around = svg.closest('figure, .scroll, .figure');
    offer(around?.matches('figure') ? 'append' : 'after', around ?? svg, buttons);
  }
  for (const table of document.querySelectorAll('main table')) {
    const region = table.closest('.scroll');
    const caption = table.caption?.textContent.trim().replace(/\s+/g, ' ');
    const title = table.closest('section, article, div')?.querySelector('h2, h3')?.textContent;
    const name = region?.getAttribute('aria-label') || table.getAttribute('aria-label') ||
      title || caption || 'table';
    offer('after', region ?? table, [asTable(name.trim(), () => rowsOf(table))]);
  }
})();
