// Filters: boxes for names, of which those without a tick are taken away.
(() => {
  'use strict';

  /** The names without a tick in a group of boxes. */
  function without(group) {
    const boxes = [...group.querySelectorAll('input')];
    return new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
  }

  /** Call `changed(kind, names without a tick)` whenever a box in `root` is ticked or not. */
  page.choices = (root, changed) => {
    for (const group of root.querySelectorAll('.choices')) {
      const boxes = [...group.querySelectorAll('input')];
      const told = () => {
        const hidden = without(group);
        const shown = boxes.length - hidden.size;
        group.querySelector('[data-count]').textContent =
          hidden.size ? `${shown} of ${boxes.length}` : 'all';
        changed(group.dataset.choice, hidden);
      };
      const tick = (checked) => () => {
        for (const box of boxes) box.checked = checked;
        told();
      };
      group.addEventListener('change', told);
      group.querySelector('[data-all]').addEventListener('click', tick(true));
      group.querySelector('[data-none]').addEventListener('click', tick(false));
    }
  };
})();
