/* What a job is doing and what it came to: progress, pictures, charts, numbers, and what can be
 * done with them next. */
import {follow, get, getBlob, post, Refused, submit} from './client.js';
import {showPercentiles, Traces} from './charts.js';
import {button, element} from './dom.js';

const TRACE_PAGE = 5000;
const ENDED = new Set(['succeeded', 'failed', 'canceled', 'expired']);
const HAS_CHAINS = new Set(['mcmc', 'chains']);

const dataUrl = (base64) => `data:image/png;base64,${base64}`;

const number = (value, digits = 4) =>
  (value === null || value === undefined ? '-' : Number(value.toPrecision(digits)).toString());

/* By hand, because the page may not connect to data URLs. */
function blobOf(url) {
  const bytes = Uint8Array.from(atob(url.split(',')[1]), (character) => character.charCodeAt(0));
  return new Blob([bytes], {type: 'image/png'});
}

function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export class JobView {
  /* `use(operation, blob)` takes a picture into another request; `changed(job)` hears of every job
   * that is shown; `wrong(error)` of what failed. */
  constructor({use, changed, wrong}) {
    Object.assign(this, {use, changed, wrong});
    this.stop = new AbortController();
  }

  /* Shows a job from now to its end; the one before is left alone. */
  async show(job) {
    this.clear();
    const {signal} = this.stop;
    this.job = job;
    this.changed(job);
    try {
      if (ENDED.has(job.status)) {
        await this.end(job);
        return;
      }
      this.say('waiting');
      this.offer();
      for await (const {type, data} of follow(job.id, signal)) {
        if (signal.aborted) return;
        await this.take(type, data);
      }
      /* the stream had been read to its end before */
      if (!ENDED.has(this.job.status)) await this.end(await get(`v1/jobs/${job.id}`));
    } catch (error) {
      if (!signal.aborted) this.wrong(error);
    }
  }

  clear() {
    this.stop.abort();
    this.stop = new AbortController();
    this.traces?.remove();
    this.percentiles?.destroy();
    this.traces = this.percentiles = this.chosen = null;
    this.figures = new Map();
    for (const id of ['actions', 'pictures', 'extras', 'charts', 'facts']) element(id).replaceChildren();
    element('progress').hidden = element('repeat').hidden = true;
    this.say('');
  }

  say(text) {
    element('state').textContent = text;
  }

  async take(type, data) {
    switch (type) {
      case 'queued':
        this.say(data.position > 0 ? `waiting behind ${data.position}` : 'waiting');
        break;
      case 'progress':
        this.advance(data);
        break;
      case 'preview':
        this.picture(data.index, data.b64_json, `level ${data.level}, step ${data.step}`, true);
        break;
      case 'image':
        if (data.b64_json) this.picture(data.index, data.b64_json, `energy ${number(data.energy, 6)}`);
        break;
      case 'diagnostics':
        this.facts(data);
        await this.fetchTraces(data.chains);
        break;
      case 'reset':
        this.job = data;
        break;
      case 'completed':
      case 'failed':
      case 'canceled':
      case 'expired':
        await this.end(data);
        break;
      default: /* kinds that a later server may add */
    }
  }

  advance({fraction, level, levels, step, steps, energy_mean: energy, accept_rate: accepted, eta_s: eta}) {
    const parts = [`${Math.round(100 * fraction)} %`];
    if (level !== undefined) parts.push(`level ${level} of ${levels}, step ${step} of ${steps}`);
    if (energy !== undefined) parts.push(`mean energy ${number(energy, 5)}`);
    if (accepted !== undefined) parts.push(`${Math.round(100 * accepted)} % accepted`);
    if (eta !== undefined) parts.push(`${Math.ceil(eta)} s left`);
    this.say(parts.join(' · '));
    element('progress').hidden = false;
    element('progress').value = fraction;
  }

  picture(index, base64, caption, moving = false) {
    let figure = this.figures.get(index);
    if (!figure) {
      figure = document.createElement('figure');
      const choose = button('', () => this.choose(index));
      choose.append(document.createElement('img'));
      choose.setAttribute('aria-pressed', 'false');
      figure.append(choose, document.createElement('figcaption'));
      this.figures.set(index, figure);
      const after = [...this.figures.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
      element('pictures').insertBefore(figure, this.figures.get(after) ?? null);
    }
    figure.classList.toggle('moving', moving);
    figure.querySelector('img').src = dataUrl(base64);
    figure.querySelector('img').alt = moving ? `picture ${index} on its way` : `picture ${index}`;
    figure.querySelector('figcaption').textContent = caption;
  }

  extra(base64, caption) {
    const figure = document.createElement('figure');
    const image = document.createElement('img');
    const text = document.createElement('figcaption');
    image.src = dataUrl(base64);
    image.alt = text.textContent = caption;
    figure.append(image, text);
    element('extras').append(figure);
  }

  choose(index) {
    this.chosen = this.chosen === index ? null : index;
    for (const [k, figure] of this.figures)
      figure.querySelector('button').setAttribute('aria-pressed', String(k === this.chosen));
    this.offer();
  }

  /* Buttons for what can be done now. */
  offer() {
    const {id, kind, status} = this.job;
    const buttons = [];
    const again = (text, action) => buttons.push(button(text, () => action().catch(this.wrong)));
    const goOn = (text, what, body) => again(text, async () => this.show(await submit(`v1/chains/${id}/${what}`, body)));

    if (!ENDED.has(status)) {
      again('Cancel', () => post(`v1/jobs/${id}/cancel`));
      if (HAS_CHAINS.has(kind)) again('Pause', () => post(`v1/chains/${id}/pause`));
    } else if (HAS_CHAINS.has(kind) && this.job.data?.length) {
      if (status !== 'succeeded') goOn('Go on', 'resume', {});
      goOn('Extend', 'extend', {steps: this.job.params.steps});
      goOn('Fork', 'fork', {steps: this.job.params.steps});
      again('Checkpoint', async () => save(await getBlob(`v1/chains/${id}/checkpoint`), `${id}.ebm`));
    }
    if (ENDED.has(status) && this.chosen !== null) {
      const blob = blobOf(this.figures.get(this.chosen).querySelector('img').src);
      again('Save', async () => save(blob, `${id}-${this.chosen}.png`));
      for (const [text, operation] of [['Edit', 'sample'], ['Inpaint', 'inpaint'], ['Score', 'energy'], ['Start chains', 'mcmc']])
        again(text, async () => this.use(operation, blob));
    }
    element('actions').replaceChildren(...buttons);
  }

  async end(job) {
    const words = {succeeded: 'done', failed: 'failed', canceled: 'stopped', expired: 'too late'};
    this.job = job;
    element('progress').hidden = true;
    this.say(job.error?.detail ? `${words[job.status]}: ${job.error.detail}` : words[job.status]);
    (job.data ?? []).forEach((item) => {
      if (item.b64_json) this.picture(item.index, item.b64_json, `energy ${number(item.energy, 6)}`);
    });
    /* previews of what was never finished */
    for (const [index, figure] of this.figures) {
      if (!figure.classList.contains('moving')) continue;
      figure.remove();
      this.figures.delete(index);
    }
    if (job.animation) this.extra(job.animation, 'animation');
    for (const [name, base64] of Object.entries(job.ensemble ?? {})) this.extra(base64, name);
    if (job.data?.[0]?.percentiles) this.percentiles = showPercentiles(element('charts'), job.data);
    this.facts(job.diagnostics);
    this.changed(job);
    this.offer();
    if (HAS_CHAINS.has(job.kind) && job.data?.length) await this.fetchTraces(job.params.chains);
  }

  facts(diagnostics) {
    const {data, seed, timings, usage} = this.job;
    const rows = [];
    const row = (name, value) => rows.push([name, value]);

    row('seed', seed);
    if (timings) row('computed in', `${number(timings.compute_ms / 1000, 3)} s`);
    if (usage) row('gradients', usage.grad_evals);
    (data ?? []).forEach(({index, energy, score, ood_percentile: unusual}) => {
      if (score !== undefined) row(`picture ${index}`, `energy ${number(energy, 6)}, score ${number(score)}, more unusual than ${number(unusual, 3)} % of the data`);
      else if (data[0].energies) row(`picture ${index}`, `energy ${number(energy, 6)}`);
    });
    if (diagnostics) {
      row('R-hat', number(diagnostics.rhat));
      row('effective sample size', number(diagnostics.ess));
      row('draws', `${diagnostics.draws} of each of ${diagnostics.chains} chains`);
      row('accepted', diagnostics.accept_rate === null ? '-' : `${number(100 * diagnostics.accept_rate, 3)} %`);
      row('energy', `${number(diagnostics.energy_mean, 6)} ± ${number(diagnostics.energy_sd, 3)}`);
    }
    element('facts').replaceChildren(...rows.map(([name, value]) => {
      const line = document.createElement('tr');
      line.append(document.createElement('th'), document.createElement('td'));
      line.firstChild.textContent = name;
      line.lastChild.textContent = value;
      return line;
    }));
  }

  /* What the chains have recorded since the last time. */
  async fetchTraces(chains) {
    this.traces ??= new Traces(element('charts'));
    for (let chain = 0; chain < chains; chain++) {
      for (let from = this.traces.rows(chain); from !== null;) {
        const path = `v1/chains/${this.job.id}/traces?chain=${chain}&from=${from}&limit=${TRACE_PAGE}`;
        const page = await get(path).catch((error) => {
          if (error instanceof Refused) return null; /* there may be none yet, or none at all */
          throw error;
        });
        if (!page) break;
        this.traces.add(page);
        from = page.next;
      }
    }
    this.traces.show();
  }
}
