/* The page: a model, an operation, its form, and the job that comes of it. Talks to the public API
 * alone; the address of the page names the job that is shown. */
import {get, Refused, submit, useKey} from './client.js';
import {button, element} from './dom.js';
import {Fields} from './form.js';
import {JobView} from './job.js';
import {Picture} from './picture.js';

/* What the page adds to a schema: which fields come first and with which values, and which
 * pictures are asked for. */
const OPERATIONS = {
  sample: {
    title: 'Sample',
    what: 'Images drawn from noise, or from a picture that is noised first.',
    schema: 'SampleRequest',
    shown: ['n', 'seed', 'steps_per_level', 'noise_scale', 'begin', 'start_level'],
    values: {n: 8},
    pictures: [{name: 'image', label: 'Begin with (optional)'}],
  },
  inpaint: {
    title: 'Inpaint',
    what: 'Painted parts of a picture are drawn anew, all others stay as they are.',
    schema: 'InpaintRequest',
    shown: ['n', 'seed', 'steps_per_level', 'repeats', 'ensemble'],
    values: {n: 8, ensemble: true},
    pictures: [{name: 'image', label: 'Picture', paints: true}],
  },
  interpolate: {
    title: 'Interpolate',
    what: 'The way from one seed to another.',
    schema: 'InterpolateRequest',
    shown: ['from.seed', 'to.seed', 'frames'],
    values: {},
    fixed: {animation: true},
    pictures: [],
  },
  mcmc: {
    title: 'Chains',
    what: 'Long Markov chains at one noise level, with diagnostics.',
    schema: 'McmcRequest',
    shown: ['chains', 'steps', 'warmup', 'sampler', 'level', 'init', 'seed'],
    values: {chains: 4, steps: 1000, warmup: 200, sampler: 'mala', level: 2, init: 'samples'},
    pictures: [{name: 'image', label: 'Start from (with init image)'}],
  },
  energy: {
    title: 'Score',
    what: 'How likely a picture is to the model, at every noise level.',
    schema: 'EnergyRequest',
    shown: ['draws', 'seed'],
    values: {seed: 1},
    pictures: [{name: 'images', label: 'Picture', list: true}],
  },
};

const page = {schemas: null, models: [], name: 'sample', fields: null, pictures: new Map()};

function model() {
  return page.models.find(({id}) => id === element('model').value);
}

function complain(error) {
  const others = error instanceof Refused ? page.fields?.refuse(error.errors) ?? [] : [];
  const box = element('problem');
  box.hidden = false;
  box.textContent = [error.message, ...others].join(' ');
  if (error.status === 401) element('access').open = true;
}

function choose(name) {
  const {what, schema, shown, values, pictures} = OPERATIONS[name];
  page.name = name;
  for (const tab of element('operations').children)
    tab.setAttribute('aria-current', String(tab.dataset.name === name));
  element('what').textContent = what;
  element('problem').hidden = true;
  page.fields = new Fields(page.schemas[schema], shown, element('fields'), element('more').querySelector('div'));
  page.fields.set(values);
  page.pictures = new Map(pictures.map((row) => [row, new Picture(model().image, row.label, row)]));
  element('inputs').replaceChildren(...[...page.pictures.values()].map((picture) => picture.element));
  page.fields.hints(model().parameters);
}

function tabs() {
  element('operations').replaceChildren(...Object.entries(OPERATIONS).map(([name, {title}]) => {
    const tab = button(title, () => choose(name));
    tab.dataset.name = name;
    return tab;
  }));
}

function body() {
  const made = {model: element('model').value, ...OPERATIONS[page.name].fixed, ...page.fields.body()};
  for (const [{name, list, paints}, picture] of page.pictures) {
    const png = picture.png();
    if (!png) continue;
    made[name] = list ? [png] : png;
    made.fit = 'resize'; /* colour to gray, where the model is gray */
    if (paints) made.mask = picture.maskPng();
  }
  return made;
}

/* The request as a line for a shell; pictures are named only. */
function showCommand(path, request) {
  const text = JSON.stringify(request, (name, value) =>
    (typeof value === 'string' && value.startsWith('data:') ? 'BASE64-PNG' : value));
  const url = new URL(path, document.baseURI);
  element('repeat').hidden = false;
  element('repeat').querySelector('pre').textContent = `curl -s ${url} --json '${text}'`;
}

const view = new JobView({
  use(operation, blob) {
    choose(operation);
    [...page.pictures.values()][0].load(blob);
    if (operation === 'mcmc') page.fields.set({init: 'image'});
  },
  changed(job) {
    history.replaceState(null, '', `#${job.id}`);
    element('result').style.setProperty('--aspect', `${model().image.width} / ${model().image.height}`);
  },
  wrong: complain,
});

async function run(event) {
  event.preventDefault();
  const path = `v1/${page.name}`;
  const request = body();
  element('run').disabled = true;
  element('problem').hidden = true;
  page.fields.clear();
  try {
    const job = await submit(path, request);
    view.show(job);
    showCommand(path, {...request, seed: job.seed});
  } catch (error) {
    complain(error);
  } finally {
    element('run').disabled = false;
  }
}

/* A job by the address of the page: its form as it was, and what it came to. */
async function reopen(id) {
  const job = await get(`v1/jobs/${id}`);
  const name = job.kind === 'chains' ? 'mcmc' : job.kind;
  if (page.models.some((one) => one.id === job.model.id)) element('model').value = job.model.id;
  if (OPERATIONS[name]) {
    choose(name);
    page.fields.set(Object.fromEntries(OPERATIONS[name].shown.map((path) =>
      [path, path.split('.').reduce((at, part) => at?.[part], job.params)])));
  }
  view.show(job);
}

async function start() {
  const [{data}, openapi, version] = await Promise.all([get('v1/models'), get('openapi.json'), get('version')]);
  page.models = data;
  page.schemas = openapi.components.schemas;
  element('model').replaceChildren(...data.map(({id, title, default: first}) => new Option(title ?? id, id, first, first)));
  element('server').textContent = `${version.name} ${version.version} · ${version.kernel_class}`;
  tabs();
  choose('sample');
  element('run').disabled = false;
  if (/^#job_\w+$/.test(location.hash)) await reopen(location.hash.slice(1));
}

element('request').addEventListener('submit', run);
element('model').addEventListener('change', () => choose(page.name));
element('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useKey(element('key').value);
  element('problem').hidden = true;
  start().catch(complain);
});
start().catch(complain);
