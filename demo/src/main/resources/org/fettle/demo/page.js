// Lines of a readout.
const LONGEST = 16;

// The values of all curves where the pointer is.
for (const chart of every('svg.chart')) {
  const curves = every('.curve', chart).map(curve => ({
    row: curve.dataset.row,
    style: curve.getAttribute('style'),
    element: curve,
    points: curve.getAttribute('points').split(' ').map(point => Number(point.split(',')[0])),
    values: curve.dataset.values.split(';').map(value => value.split(':')),
  }));
  if (!curves.length) continue;
  const cursor = chart.querySelector('.cursor');
  const readout = chart.parentElement.querySelector('.readout');
  chart.addEventListener('pointermove', event => {
    const box = chart.getBoundingClientRect();
    const at = (event.clientX - box.left) * chart.viewBox.baseVal.width / box.width;
    let nearest = Infinity;
    for (const curve of curves) {
      for (const x of curve.points) if (Math.abs(x - at) < Math.abs(nearest - at)) nearest = x;
    }
    const lines = [];
    for (const curve of curves) {
      const index = curve.points.indexOf(nearest);
      if (index >= 0 && !curve.element.classList.contains('off')) {
        lines.push({ row: curve.row, style: curve.style, epoch: curve.values[index][0], text: curve.values[index][1] });
      }
    }
    if (!lines.length) return;
    lines.sort((a, b) => parseFloat(b.text) - parseFloat(a.text));
    if (chart.id.startsWith('loss')) lines.reverse();
    cursor.setAttribute('x1', nearest);
    cursor.setAttribute('x2', nearest);
    cursor.style.visibility = 'visible';
    const hidden = lines.splice(LONGEST).length;
    readout.replaceChildren();
    const head = document.createElement('b');
    head.textContent = 'epoch ' + Number(lines[0].epoch).toFixed(chart.id.startsWith('loss') ? 1 : 0);
    readout.append(head);
    for (const line of lines) {
      const item = document.createElement('div');
      const dot = document.createElement('i');
      const value = document.createElement('span');
      item.setAttribute('style', line.style);
      value.textContent = line.text;
      item.append(dot, line.row, value);
      readout.append(item);
    }
    if (hidden) readout.append(`and ${hidden} more`);
    readout.style.display = 'block';
    const x = nearest / chart.viewBox.baseVal.width * box.width;
    const left = x > box.width / 2 ? x - readout.offsetWidth - 6 : x + 30;
    readout.style.left = left + 'px';
    readout.style.top = chart.id.startsWith('loss') ? '2.6rem' : 'auto';
    readout.style.bottom = chart.id.startsWith('loss') ? 'auto' : '4.5rem';
  });
  chart.addEventListener('pointerleave', () => {
    cursor.style.visibility = 'hidden';
    readout.style.display = 'none';
  });
}
