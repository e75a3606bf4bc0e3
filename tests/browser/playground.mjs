/* The playground in a real browser against a real daemon: what is shown is what the API says.
 * usage: node playground.mjs EBMD CHROMIUM [PICTURE]; PICTURE: where to leave a picture of the page.
 * Wants playwright-core; ./dev browser brings it. */
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createRequire} from 'node:module';
import path from 'node:path';

const [ebmd, executablePath, picture] = process.argv.slice(2);
const {chromium} = createRequire(path.join(process.cwd(), 'build/browser/'))('playwright-core');
const listen = `127.0.0.1:${20000 + process.pid % 20000}`;
const base = `http://${listen}/`;
const PATIENCE = {timeout: 120000};

const daemon = spawn(ebmd, ['--models', 'models', '--store', 'memory', '--listen', listen, '--admin-listen', 'none']);
const ended = new Promise((resolve) => daemon.once('exit', resolve));

async function ready() {
  for (;;) {
    assert.equal(daemon.exitCode, null, 'the daemon has ended');
    if (await fetch(`${base}readyz`).then((reply) => reply.ok, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function api(address, body) {
  const init = body && {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)};
  return (await fetch(base + address, init)).json();
}

/* One page whose surprises fail the test. */
async function open(browser, surprises) {
  const page = await browser.newPage({viewport: {width: 1100, height: 720}});
  page.on('pageerror', (error) => surprises.push(error.message));
  page.on('console', (message) => message.type() === 'error' && surprises.push(message.text()));
  await page.goto(base);
  await page.waitForSelector('#run:enabled');
  await page.waitForSelector('[name="seed"]');
  return page;
}

const state = (page) => page.textContent('#state');
const problem = (page) => page.textContent('#problem');

async function run(page) {
  const before = page.url();
  await page.click('#run');
  await page.waitForFunction((url) => location.href !== url, before, PATIENCE);
}

const until = (page, text) =>
  page.waitForFunction((want) => document.getElementById('state').textContent.startsWith(want), text, PATIENCE);

const shown = (page) =>
  page.$$eval('#pictures img', (images) => images.map(({src}) => src.split(',')[1]));

const jobOf = (page) => new URL(page.url()).hash.slice(1);

const tests = {
  async 'a sample is what the API draws'(page) {
    await page.fill('[name="n"]', '3');
    await page.fill('[name="seed"]', '7');
    await run(page);
    await until(page, 'done');
    const {data} = await api('v1/sample', {model: 'fashion-mnist', n: 3, seed: 7});
    assert.deepEqual(await shown(page), data.map((item) => item.b64_json));
  },

  async 'a job comes back by its address'(page) {
    const before = await shown(page);
    await page.reload();
    await until(page, 'done');
    assert.deepEqual(await shown(page), before);
    assert.equal(await page.inputValue('[name="seed"]'), '7');
  },

  async 'what the server refuses is said at the field'(page, surprises) {
    await page.fill('[name="n"]', '65');
    await page.click('#run');
    await page.waitForSelector('.field:has([name="n"]) small');
    assert.match(await problem(page), /invalid/);
    assert.equal(await page.getAttribute('[name="n"]', 'aria-invalid'), 'true');
    assert.match(surprises.pop(), /422/); /* the browser's own line */
    await page.fill('[name="n"]', '2');
    await page.fill('[name="steps_per_level"]', '1');
    await run(page);
    await until(page, 'done');
    assert.equal(await page.$('.field small'), null);
  },

  async 'a drawn picture is inpainted where it is painted'(page) {
    await page.click('#pictures button >> nth=0');
    await page.click('#actions >> text=Inpaint');
    await page.fill('[name="n"]', '2');
    await page.fill('[name="steps_per_level"]', '1');
    await page.click('.tools >> text=Clear');
    const canvas = await page.locator('canvas.paint').boundingBox();
    await page.mouse.move(canvas.x + canvas.width / 4, canvas.y + canvas.height / 4);
    await page.mouse.down();
    await page.mouse.up();
    const [before] = await shown(page);
    await run(page);
    await until(page, 'done');
    const job = await api(`v1/jobs/${jobOf(page)}`);
    /* a dab of 4 pixels: those whose centres lie within 2 of its own, 12 of 28 x 28 */
    assert.equal(Math.round(job.mask_coverage * 28 * 28), 12);
    const far = await page.evaluate(async (sources) => {
      const pixels = [];
      for (const source of sources) {
        const image = new Image();
        image.src = `data:image/png;base64,${source}`;
        await image.decode();
        const context = Object.assign(document.createElement('canvas'), {width: 28, height: 28}).getContext('2d');
        context.drawImage(image, 0, 0);
        pixels.push(context.getImageData(0, 10, 28, 18).data.join());
      }
      return pixels;
    }, [before, ...await shown(page)]);
    assert.equal(new Set(far).size, 1); /* rows 10 to 27 were not painted */
    assert.deepEqual(await page.$$eval('#extras figcaption', (all) => all.map((one) => one.textContent)),
      ['mean', 'sd', 'q05', 'q50', 'q95']);
  },

  async 'a way from seed to seed moves'(page) {
    await page.click('nav >> text=Interpolate');
    await page.fill('[name="from.seed"]', '7');
    await page.fill('[name="to.seed"]', '9');
    await page.fill('[name="frames"]', '3');
    await run(page);
    await until(page, 'done');
    assert.equal((await shown(page)).length, 3);
    assert.equal(await page.textContent('#extras figcaption'), 'animation');
    const {params} = await api(`v1/jobs/${jobOf(page)}`);
    assert.deepEqual([params.from.seed, params.to.seed], [7, 9]);
  },

  async 'a picture gets a score'(page) {
    await page.click('#pictures button >> nth=0');
    await page.click('#actions >> text=Score');
    await run(page);
    await until(page, 'done');
    const {data} = await api(`v1/jobs/${jobOf(page)}`);
    const drawn = await page.evaluate(() => Chart.getChart(document.querySelector('#charts canvas')).data.datasets[0].data);
    assert.deepEqual(drawn.map(({y}) => y), data[0].percentiles);
    assert.match(await page.textContent('#facts'), /more unusual than/);
  },

  async 'chains pause, go on and are extended'(page) {
    await page.click('nav >> text=Chains');
    await page.fill('[name="chains"]', '2');
    await page.fill('[name="steps"]', '1500');
    await page.selectOption('[name="init"]', 'noise');
    await run(page);
    await page.waitForFunction(() => /accepted/.test(document.getElementById('state').textContent), null, PATIENCE);
    await page.click('#actions >> text=Pause');
    await until(page, 'stopped');
    for (const text of ['Go on', 'Extend']) {
      const before = page.url();
      await page.click(`#actions >> text=${text}`);
      await page.waitForFunction((url) => location.href !== url, before, PATIENCE);
      await until(page, 'done');
    }
    await page.waitForFunction(() => Chart.getChart(document.querySelector('#charts canvas'))?.data.datasets.length === 2);
    const {diagnostics, data} = await api(`v1/jobs/${jobOf(page)}`);
    assert.deepEqual(data.map(({steps}) => steps), [3000, 3000]);
    assert.match(await page.textContent('#facts'), new RegExp(`R-hat${Number(diagnostics.rhat.toPrecision(4))}`));
    if (picture) await page.screenshot({path: picture});
  },

  async 'a job is canceled'(page) {
    await page.click('nav >> text=Sample');
    await page.fill('[name="n"]', '8');
    await page.fill('[name="steps_per_level"]', '2000');
    await run(page);
    await page.waitForSelector('#pictures figure.moving', PATIENCE);
    await page.click('#actions >> text=Cancel');
    await until(page, 'stopped');
    assert.equal(await page.$('#pictures figure.moving'), null);
  },
};

const surprises = [];
let failed = 0;
let browser;
try {
  await ready();
  browser = await chromium.launch({executablePath, args: ['--no-sandbox']});
  const page = await open(browser, surprises);
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test(page, surprises);
      assert.deepEqual(surprises, []);
      console.log(`ok      ${name}`);
    } catch (error) {
      failed++;
      surprises.length = 0;
      console.log(`FAILED  ${name}: ${error.message}\n        ${await state(page)} ${await problem(page)}`);
    }
  }
} finally {
  await browser?.close();
  daemon.kill('SIGTERM');
}
assert.equal(await ended, 0, 'the daemon ended badly');
console.log(`browser: ${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
