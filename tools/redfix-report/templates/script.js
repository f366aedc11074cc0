// Filters and sorts the table of cases. Without this script the page still shows everything.
(() => {
  const table = document.getElementById('overview');
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const details = (row) => document.getElementById(row.dataset.case);
  const input = document.getElementById('filter');
  const shown = document.getElementById('shown');
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = (row.textContent + ' ' + details(row).textContent).toLowerCase();
      const hit = words.every((word) => text.includes(word));
      row.hidden = details(row).hidden = !hit;
      count += hit;
    }
    shown.textContent = count + ' of ' + rows.length;
  };
  input.addEventListener('input', filter);
  input.closest('.filter').hidden = false;
  filter();
  const collator = new Intl.Collator('en', { numeric: true });
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const key = (row) => row.cells[column].textContent;
      rows.sort((a, b) => collator.compare(key(a), key(b)) * (down ? -1 : 1));
      body.append(...rows);
    });
  });
})();
