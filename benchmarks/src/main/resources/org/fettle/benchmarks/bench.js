
// The name of what lies under the pointer, without the browser's delay.
const tip = document.querySelector('.tip');
for (const point of every('.point')) {
  const title = point.querySelector('title');
  const text = title.textContent;
  point.addEventListener('pointerenter', () => {
    title.textContent = '';
    tip.textContent = text;
    tip.hidden = false;
  });
  point.addEventListener('pointermove', event => {
    const right = event.clientX > window.innerWidth / 2;
    tip.style.left = right ? 'auto' : event.clientX + 14 + 'px';
    tip.style.right = right ? window.innerWidth - event.clientX + 14 + 'px' : 'auto';
    tip.style.top = event.clientY + 14 + 'px';
  });
  point.addEventListener('pointerleave', () => {
    title.textContent = text;
    tip.hidden = true;
  });
}

// A row of a table lifts the points of its task.
const lift = task => {
  for (const chart of every('svg.chart')) {
    const marks = every('[data-case]', chart);
    const found = marks.some(mark => mark.dataset.case === task);
    chart.classList.toggle('focused', found);
    for (const mark of marks) mark.classList.toggle('focus', mark.dataset.case === task);
  }
};
for (const row of every('tr[data-case]')) {
  row.addEventListener('pointerenter', () => lift(row.dataset.case));
  row.addEventListener('pointerleave', () => lift(null));
}
