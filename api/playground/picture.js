/* A picture that goes into a request, in the model's size, and a mask that is painted over it. */
import {button} from './dom.js';

function canvasOf({width, height}) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/* The largest part in the middle with the proportions of the target, on white. */
function drawCropped(bitmap, canvas) {
  const scale = Math.min(bitmap.width / canvas.width, bitmap.height / canvas.height);
  const w = canvas.width * scale;
  const h = canvas.height * scale;
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2, w, h, 0, 0, canvas.width,
    canvas.height);
}

/* Field of the request that holds one picture. */
export class Picture {
  constructor(size, label, {paints = false} = {}) {
    this.size = size;
    this.paints = paints;
    this.image = null;
    this.mask = canvasOf(size);
    this.view = canvasOf(size);
    this.element = document.createElement('div');
    this.element.className = 'input';
    this.element.append(this.chooser(label), this.view);
    if (paints) this.addBrush();
    this.show();
  }

  chooser(label) {
    const wrap = document.createElement('label');
    const file = document.createElement('input');
    file.type = 'file';
    file.accept = 'image/*';
    file.addEventListener('change', () => file.files[0] && this.load(file.files[0], wrap));
    wrap.append(`${label} `, file);
    return wrap;
  }

  /* Takes a file or blob; one that is no picture is told to the field's label. */
  async load(blob, label = null) {
    try {
      const bitmap = await createImageBitmap(blob);
      this.image = canvasOf(this.size);
      drawCropped(bitmap, this.image);
      label?.querySelector('input').setCustomValidity('');
    } catch {
      this.image = null;
      const input = label?.querySelector('input');
      input?.setCustomValidity('This file is no picture that the browser can read.');
      input?.reportValidity();
    }
    this.show();
  }

  show() {
    const context = this.view.getContext('2d');
    this.view.hidden = !this.image;
    context.clearRect(0, 0, this.size.width, this.size.height);
    if (this.image) context.drawImage(this.image, 0, 0);
    if (!this.paints) return;
    context.globalAlpha = 0.6;
    context.drawImage(this.mask, 0, 0);
    context.globalAlpha = 1;
    this.tools.hidden = !this.image;
  }

  addBrush() {
    const range = document.createElement('input');
    range.type = 'range';
    range.min = '1';
    range.max = String(Math.ceil(this.size.width / 3));
    range.value = String(Math.ceil(this.size.width / 7));
    range.setAttribute('aria-label', 'Width of the brush');
    this.tools = document.createElement('div');
    this.tools.className = 'tools';
    this.tools.append(range, button('Lower half', () => this.fillLowerHalf()),
      button('Clear', () => this.clearMask()));
    this.element.append(this.tools);
    this.view.classList.add('paint');
    const paint = (event) => {
      if (event.buttons === 0) return;
      const box = this.view.getBoundingClientRect();
      this.dab((event.clientX - box.left) / box.width * this.size.width,
        (event.clientY - box.top) / box.height * this.size.height, Number(range.value));
    };
    this.view.addEventListener('pointerdown', (event) => {
      this.view.setPointerCapture(event.pointerId);
      paint(event);
    });
    this.view.addEventListener('pointermove', paint);
    this.fillLowerHalf();
  }

  get ink() {
    const context = this.mask.getContext('2d');
    context.fillStyle = '#e5484d';
    return context;
  }

  /* Whole pixels, so that there are no grays in the mask. */
  dab(x, y, width) {
    const ink = this.ink;
    for (let j = 0; j < this.size.height; j++)
      for (let i = 0; i < this.size.width; i++)
        if (Math.hypot(i + 0.5 - x, j + 0.5 - y) <= width / 2) ink.fillRect(i, j, 1, 1);
    this.show();
  }

  fillLowerHalf() {
    const half = Math.floor(this.size.height / 2);
    this.clearMask();
    this.ink.fillRect(0, half, this.size.width, this.size.height - half);
    this.show();
  }

  clearMask() {
    this.mask.getContext('2d').clearRect(0, 0, this.size.width, this.size.height);
    this.show();
  }

  /* The picture as the request has it, or null. */
  png() {
    return this.image?.toDataURL('image/png') ?? null;
  }

  /* White where something was painted, black elsewhere. */
  maskPng() {
    const canvas = canvasOf(this.size);
    const context = canvas.getContext('2d');
    context.fillStyle = 'white';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = 'destination-in';
    context.drawImage(this.mask, 0, 0);
    context.globalCompositeOperation = 'destination-over';
    context.fillStyle = 'black';
    context.fillRect(0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/png');
  }
}
