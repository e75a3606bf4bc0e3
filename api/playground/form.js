/* Fields of a request, made from its schema in the OpenAPI document: names, bounds, choices and
 * explanations stand there, and nowhere here. */

/* What the page decides itself or has no field for. */
const LEFT_OUT = new Set(['model', 'fit', 'mask_mode', 'mask_soft', 'width', 'height', 'metadata',
  'output_format', 'response_format', 'sheet', 'animation', 'delay_ms', 'progressive', 'compose']);

function typesOf(schema) {
  return [schema.type].flat().filter((type) => type !== 'null');
}

/* [[name, schema]] of a schema's plain properties; those of an object in it with a point. */
function plainProperties(schema, prefix = '') {
  return Object.entries(schema.properties).flatMap(([name, property]) => {
    const path = prefix + name;
    if (typesOf(property)[0] === 'object' && property.properties)
      return plainProperties(property, `${path}.`);
    const plain = !property.contentEncoding && !LEFT_OUT.has(path) &&
      typesOf(property).every((type) => type === 'integer' || type === 'number' ||
        type === 'boolean' || (type === 'string' && property.enum));
    return plain ? [[path, property]] : [];
  });
}

function control(property) {
  const type = typesOf(property)[0];
  if (property.enum) {
    const select = document.createElement('select');
    select.append(new Option('', ''));
    for (const choice of property.enum) select.append(new Option(choice, choice));
    return select;
  }
  const input = document.createElement('input');
  if (type === 'boolean') {
    input.type = 'checkbox';
    return input;
  }
  input.type = 'number';
  input.step = type === 'integer' ? '1' : 'any';
  if (property.minimum !== undefined) input.min = property.minimum;
  if (property.maximum !== undefined) input.max = property.maximum;
  return input;
}

function field(name, property) {
  const label = document.createElement('label');
  const text = document.createElement('span');
  const element = control(property);
  label.className = 'field';
  label.title = property.description ?? '';
  text.textContent = name.replaceAll('_', ' ').replaceAll('.', ' ');
  element.name = name;
  element.dataset.type = typesOf(property)[0];
  label.append(text, element);
  return label;
}

function hint(element, value) {
  if (value === undefined || value === null || element.type === 'checkbox') return;
  if (element instanceof HTMLSelectElement) element.options[0].text = value;
  else element.placeholder = value;
}

export class Fields {
  /* Those of `shown` go into one element in that order, all others into the other. */
  constructor(schema, shown, main, rest) {
    const all = new Map(plainProperties(schema));
    const names = [...shown, ...[...all.keys()].filter((name) => !shown.includes(name))];
    this.elements = new Map();
    main.replaceChildren();
    rest.replaceChildren();
    for (const name of names) {
      const label = field(name, all.get(name));
      this.elements.set(name, label.querySelector('[name]'));
      hint(this.elements.get(name), all.get(name).default);
      (shown.includes(name) ? main : rest).append(label);
    }
  }

  /* Shows what the model takes for what is left empty. */
  hints(parameters) {
    for (const {name, default: value} of parameters)
      if (this.elements.has(name)) hint(this.elements.get(name), value);
  }

  set(values) {
    for (const [name, value] of Object.entries(values)) {
      const element = this.elements.get(name);
      if (element?.type === 'checkbox') element.checked = value === true;
      else if (element) element.value = value ?? '';
    }
  }

  /* The values that are there, as the body has them; what is no number goes as it was typed, so
   * that the server says what is wrong with it. */
  body() {
    const body = {};
    for (const [name, element] of this.elements) {
      const {type} = element.dataset;
      let value = element.type === 'checkbox' ? element.checked || '' : element.value.trim();
      if (element.validity.badInput) value = 'not a number';
      if (value === '') continue;
      const path = name.split('.');
      const last = path.pop();
      const into = path.reduce((at, part) => (at[part] ??= {}), body);
      const number = type === 'integer' || type === 'number';
      into[last] = number && Number.isFinite(Number(value)) ? Number(value) : value;
    }
    return body;
  }

  /* Marks the fields that the server refused; returns what belongs to none of them. */
  refuse(errors) {
    const others = [];
    this.clear();
    for (const {pointer, detail} of errors) {
      const element = this.elements.get((pointer ?? '').slice(1).replaceAll('/', '.'));
      if (!element) {
        others.push(`${pointer}: ${detail}`);
        continue;
      }
      const note = document.createElement('small');
      note.textContent = detail;
      element.setAttribute('aria-invalid', 'true');
      element.after(note);
      element.closest('details')?.setAttribute('open', '');
    }
    return others;
  }

  clear() {
    for (const element of this.elements.values()) {
      element.removeAttribute('aria-invalid');
      element.parentElement.querySelector('small')?.remove();
    }
  }
}
