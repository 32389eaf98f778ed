'use strict';
const every = (selector, root = document) => [...root.querySelectorAll(selector)];

// Buttons of the legend show and hide a row; a pointer on a row lifts its curves.
const focus = row => {
  for (const chart of every('svg.chart')) {
    chart.classList.toggle('focused', row !== null);
    for (const mark of every('[data-row]', chart)) mark.classList.toggle('focus', mark.dataset.row === row);
  }
};
for (const button of every('.legend button')) {
  button.addEventListener('click', () => {
    const shown = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', shown);
    for (const mark of every(`svg.chart [data-row="${button.dataset.name}"]`)) mark.classList.toggle('off', !shown);
  });
}
for (const element of every('[data-name]')) {
  element.addEventListener('pointerenter', () => focus(element.dataset.name));
  element.addEventListener('pointerleave', () => focus(null));
  element.addEventListener('focus', () => focus(element.dataset.name));
  element.addEventListener('blur', () => focus(null));
}
