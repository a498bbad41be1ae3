// Drawings by uPlot, which is loaded when the first is shown.
import { html, useLayoutEffect, useRef, useState } from '/page/view.js';

const HEIGHT = 260;
const scheme = matchMedia('(prefers-color-scheme: dark)');

/** Draws anew when the reader changes between light and dark. */
function useScheme() {
  const [dark, setDark] = useState(scheme.matches);
  useLayoutEffect(() => {
    const look = () => setDark(scheme.matches);
    scheme.addEventListener('change', look);
    return () => scheme.removeEventListener('change', look);
  }, []);
  return dark;
}

/** A colour of the style sheet as a canvas needs it, for the scheme of now. */
function colourIn(element, name) {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = '';
  return color;
}

/** Adds a style sheet once. */
function style(href) {
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href, onload: resolve, onerror: reject });
    document.head.append(link);
  });
}

/** A drawing of values over time, drawn anew for other `inputs`. `plot` takes a function that gives colours of the style sheet, what all axes have, and uPlot; it returns `{data, ...options}`. */
export function Chart({ plot, inputs, label }) {
  const box = useRef();
  const dark = useScheme();
  useLayoutEffect(() => {
    let chart;
    let gone = false;
    let observer;
    Promise.all([import('/page/uplot.js'), style('/page/uplot.css')]).then(([{ default: Plot }]) => {
      if (gone) return;
      const colour = (name) => colourIn(box.current, name);
      const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') } };
      const size = () => ({ width: box.current.clientWidth, height: HEIGHT });
      const { data, ...options } = plot(colour, axis, Plot);
      chart = new Plot({ ...size(), legend: { show: false }, cursor: { y: false }, ...options }, data, box.current);
      observer = new ResizeObserver(() => chart.setSize(size()));
      observer.observe(box.current);
    }).catch(() => {});
    return () => { gone = true; observer?.disconnect(); chart?.destroy(); };
  }, [...inputs, dark]);
  return html`<div class="chart" ref=${box} role="img" aria-label=${label}></div>`;
}
