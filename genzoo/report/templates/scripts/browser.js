// One data set at a time, and one family followed through its tables and figures.
(() => {
  'use strict';
  const bar = document.getElementById('browser');
  if (!bar) return;
  const section = bar.closest('section');
  const articles = [...section.querySelectorAll(':scope > article')];
  const tiles = [...bar.querySelectorAll('.tile')];
  const idOf = (article) => article.getAttribute('aria-labelledby');
  let shown = null;

  // ------------------------------------------------------------------ data sets

  // what is hidden until it is found opens for the browser's own search and for links into it;
  // where that is not known, nothing is hidden
  const canHide = 'onbeforematch' in document.documentElement;

  function show(article) {
    if (!article || article === shown) return;
    shown = article;
    for (const other of articles) {
      if (other === article) other.removeAttribute('hidden');
      else if (canHide) other.setAttribute('hidden', 'until-found');
    }
    const i = articles.indexOf(article);
    tiles.forEach((tile, k) => {
      if (k === i) tile.setAttribute('aria-current', 'true');
      else tile.removeAttribute('aria-current');
    });
    const strip = bar.querySelector('.strip');
    if (!strip) return;
    const item = tiles[i].parentElement;
    strip.scrollTo({ left: item.offsetLeft - (strip.clientWidth - item.offsetWidth) / 2 });
    bar.querySelector('.place').textContent = `${i + 1} of ${articles.length}`;
    bar.querySelector('[data-turn="-1"]').disabled = i === 0;
    bar.querySelector('[data-turn="1"]').disabled = i === articles.length - 1;
  }

  /** The element that the address names, in whichever article it is. */
  function named() {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null; // not an address of ours
    }
  }

  function reveal() {
    const target = named();
    if (!target && location.hash) return;
    const article = target ? target.closest('article') : articles[0];
    if (!articles.includes(article) || article === shown) return;
    show(article);
    if (target) target.scrollIntoView();
  }

  /** The part that is being read, to be found again in another data set. */
  function part() {
    const line = bar.getBoundingClientRect().bottom + 60;
    const above = [...shown.querySelectorAll('h4')].filter(
      (h) => h.offsetParent !== null && h.getBoundingClientRect().top < line,
    );
    const heading = above[above.length - 1];
    return heading && { text: heading.textContent, top: heading.getBoundingClientRect().top };
  }

  /** Open another data set at the part that is being read; ``keep`` replaces the address. */
  function open(article, keep) {
    if (!article || article === shown) return;
    const read = part();
    history[keep ? 'replaceState' : 'pushState'](null, '', `#${idOf(article)}`);
    show(article);
    const same =
      read && [...article.querySelectorAll('h4')].find((h) => h.textContent === read.text);
    const edge = bar.getBoundingClientRect().bottom;
    const now = same ? same.getBoundingClientRect().top : article.getBoundingClientRect().top;
    const goal = same ? Math.max(read.top, edge - 400) : edge;
    if (same || now < edge || !canHide) window.scrollBy({ top: now - goal, behavior: 'instant' });
  }

  let turned = false; // one entry of the history for any number of arrow keys in a row
  function turn(by) {
    open(articles[articles.indexOf(shown) + by], turned);
    turned = true;
  }

  section.addEventListener('beforematch', (event) => show(event.target.closest('article')));
  addEventListener('hashchange', reveal);
  addEventListener('popstate', () => {
    turned = false;
    reveal();
  });
  tiles.forEach((tile, i) =>
    tile.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      turned = false;
      open(articles[i]);
    }),
  );
  for (const button of bar.querySelectorAll('[data-turn]')) {
    button.addEventListener('click', () => turn(Number(button.dataset.turn)));
  }

  /** Whether the keys left and right are free: nothing that has the focus has a use for them. */
  function free(event) {
    if (event.defaultPrevented) return false;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return false;
    if (event.target.closest('input, select, textarea, [contenteditable]')) return false;
    const area = event.target.closest('.scroll');
    if (area && area.scrollWidth > area.clientWidth) return false;
    const { top, bottom } = section.getBoundingClientRect();
    return top < innerHeight / 2 && bottom > 0;
  }

  addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || articles.length < 2 || !free(event)) return;
    event.preventDefault();
    const inStrip = tiles.includes(document.activeElement);
    turn(by);
    if (inStrip) tiles[articles.indexOf(shown)].focus({ preventScroll: true });
  });

  // ------------------------------------------------------------------ families

  const select = document.getElementById('follow');
  const galleries = [...section.querySelectorAll('.sources')].map((of) => [of, [...of.children]]);

  function follow(model) {
    select.value = model;
    section.classList.toggle('following', model !== '');
    for (const element of section.querySelectorAll('[data-model]')) {
      element.classList.toggle('followed', model !== '' && element.dataset.model === model);
    }
    for (const [gallery, order] of galleries) {
      // real rows stay first, then whom one follows, then the others as they were
      const rank = (e) => (e.dataset.model === undefined ? 0 : e.dataset.model === model ? 1 : 2);
      gallery.append(...[...order].sort((a, b) => rank(a) - rank(b)));
    }
  }

  select.addEventListener('change', () => follow(select.value));
  for (const gallery of section.querySelectorAll('[data-gallery]')) {
    gallery.addEventListener('keydown', (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      const n = select.options.length;
      follow(select.options[(select.selectedIndex + by + n) % n].value);
    });
    gallery.addEventListener('click', (event) => {
      const source = event.target.closest('[data-model]');
      const selects = String(getSelection()) !== ''; // text to be copied
      if (source && !selects) follow(source.dataset.model === select.value ? '' : source.dataset.model);
    });
  }

  // a figure that is chosen on one data set is chosen on all
  section.addEventListener('change', (event) => {
    const choice = event.target.closest('.choice');
    if (!choice) return;
    const alike = `.choice[data-choice="${choice.dataset.choice}"] > input`;
    for (const input of section.querySelectorAll(alike)) {
      if (input.value === event.target.value) input.checked = true;
    }
  });

  // links into a data set end below the bar
  function measure() {
    document.documentElement.style.setProperty('--bar', `${bar.offsetHeight}px`);
  }
  new ResizeObserver(measure).observe(bar);

  const target = named();
  const first = target && target.closest('article');
  section.classList.toggle('one-by-one', canHide);
  show(articles.includes(first) ? first : articles[0]);
  measure();
})();
