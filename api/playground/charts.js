/* Charts of what a job says in numbers: traces of chains, places of a picture among the data.
 * Knows chart.js, which comes as the global Chart. */

const COLOURS = ['#0b68cb', '#e5484d', '#30a46c', '#f76b15', '#8e4ec6', '#ad7f58', '#0797b9', '#d6409f'];
const POINTS = 500; /* of a line on the screen */

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(title, more = {}) {
  return {
    type: 'linear',
    title: {display: true, text: title, color: style('--faint')},
    ticks: {color: style('--faint')},
    grid: {color: style('--line')},
    ...more,
  };
}

function draw(into, datasets, scales) {
  const canvas = document.createElement('canvas');
  into.append(canvas);
  return new Chart(canvas, {
    type: 'line',
    data: {datasets},
    options: {
      animation: false,
      parsing: false,
      normalized: true,
      interaction: {mode: 'nearest', intersect: false},
      scales,
      plugins: {
        legend: {labels: {color: style('--text'), boxHeight: 1}},
        decimation: {enabled: true, algorithm: 'lttb', samples: POINTS, threshold: 2 * POINTS},
      },
    },
  });
}

function line(label, k, data, more = {}) {
  const colour = COLOURS[k % COLOURS.length];
  return {label, data, borderColor: colour, backgroundColor: colour, borderWidth: 1.25, ...more};
}

/* Energy of every chain against its steps; the warm-up is dashed. */
export class Traces {
  constructor(into) {
    this.into = into;
    this.chains = [];
    this.chart = null;
  }

  /* Where the next page of a chain begins. */
  rows(chain) {
    return this.chains[chain]?.rows ?? 0;
  }

  add(page) {
    const {chain, from, thin, energy, warmup} = page;
    const have = (this.chains[chain] ??= {rows: 0, points: []});
    energy.forEach((y, k) => {
      if (y !== null) have.points.push({x: (from + k + 1) * thin, y});
    });
    have.rows = from + energy.length;
    have.warmup = warmup;
  }

  show() {
    const datasets = this.chains.map(({points, warmup}, k) => line(`chain ${k}`, k, points, {
      pointRadius: 0,
      segment: {borderDash: (at) => (at.p1.parsed.x <= warmup ? [3, 3] : undefined)},
    }));
    if (this.chart) {
      this.chart.data.datasets = datasets;
      this.chart.update();
    } else {
      this.chart = draw(this.into, datasets, {x: axis('step'), y: axis('energy')});
    }
  }

  remove() {
    this.chart?.destroy();
  }
}

/* Share of the calibration's images with a lower density, at every noise level. */
export function showPercentiles(into, scores) {
  const datasets = scores.map(({percentiles}, k) => line(`picture ${k}`, k,
    percentiles.map((y, x) => ({x, y})), {pointRadius: 3}));
  return draw(into, datasets, {
    x: axis('noise level', {ticks: {stepSize: 1, color: style('--faint')}}),
    y: axis('percentile of the density', {min: 0, max: 100}),
  });
}
