// A link to a cell opens it where the browser does not do so by itself.
'use strict';
(() => {
  function open() {
    const target = document.querySelector('.cell-body:target');
    if (!target) return;
    for (let e = target.closest('details'); e; e = e.parentElement.closest('details')) e.open = true;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }
  addEventListener('hashchange', open);
  addEventListener('load', open);
})();
