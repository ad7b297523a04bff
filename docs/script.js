// What the theme leaves out: its box of search has a name, and tables that scroll can be reached by
// the keyboard. The theme tells by document$ that a page is there, and wraps tables then.
"use strict";

document$.subscribe(() => {
  setTimeout(() => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap")) {
      wrap.tabIndex = 0;
      wrap.setAttribute("role", "region");
      wrap.setAttribute("aria-label", "Table");
    }
  });
});
