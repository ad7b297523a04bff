// Runs first: says that scripts run, and what the other files share.
'use strict';
const page = (() => {
  document.documentElement.classList.add('js');

  /** Hand the reader a file. */
  function download(name, type, text) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  return { download };
})();
