// page.cjs PAGE [FOLDER]: does the checks of page.sh in a browser, and saves screenshots in FOLDER.
const fs = require('fs');
const puppeteer = require('puppeteer-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [page, folder] = process.argv.slice(2);
const SIZES = { wide: { width: 1200, height: 900 }, phone: { width: 390, height: 844, isMobile: true } };
let passed = 0;
const failures = [];
const check = (name, good, more = '') => {
  if (good) passed += 1;
  else failures.push(`${name} ${more}`);
};

(async () => {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    for (const theme of ['light', 'dark']) {
      for (const [size, viewport] of Object.entries(SIZES)) await look(browser, theme, size, viewport);
    }
    await withoutScript(browser);
  } finally {
    await browser.close();
  }
  for (const failure of failures) console.error(`page: ${failure}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exit(failures.length ? 1 : 0);
})();

async function look(browser, theme, size, viewport) {
  const at = `${theme}, ${size}:`;
  const tab = await browser.newPage();
  const asked = [];
  const said = [];
  tab.on('request', (request) => asked.push(request.url()));
  tab.on('console', (message) => said.push(message.text()));
  tab.on('pageerror', (error) => said.push(String(error)));
  await tab.setViewport(viewport);
  await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await tab.goto(`file://${page}`);
  check(`${at} nothing is loaded`, asked.length === 1, asked.join(' '));
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  check(`${at} the page is no wider than the window`, wide <= 0, `by ${wide}`);

  const visible = () => tab.$$eval('#overview tbody tr', (rows) => rows.filter((row) => !row.hidden).length);
  const all = await visible();
  const recipe = await tab.$eval('#overview tbody tr:last-child th', (cell) => cell.textContent.trim());
  await tab.type('#filter', recipe);
  const left = await visible();
  check(`${at} the filter leaves the case`, left >= 1 && left < all, `${left} of ${all}`);
  const articles = await tab.$$eval('article', (list) => list.filter((one) => !one.hidden).length);
  check(`${at} the filter hides details too`, articles === left, `${articles} and ${left}`);
  await tab.$eval('#filter', (input) => { input.value = ''; input.dispatchEvent(new Event('input')); });
  check(`${at} an empty filter shows all`, (await visible()) === all);
  if (size === 'wide') {
    const names = () => tab.$$eval('#overview tbody th', (cells) => cells.map((cell) => cell.textContent.trim()));
    await tab.click('#overview thead th button');
    const up = await names();
    await tab.click('#overview thead th button');
    const down = await names();
    check(`${at} sorting sorts`, [...up].sort().join() === up.join() && [...up].reverse().join() === down.join(), up.join());
  }
  // evaluate() injects axe through the debugger, which the page's content security policy does not forbid.
  await tab.evaluate(axe);
  const found = await tab.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const serious = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  check(`${at} accessible`, serious.length === 0, serious.map((one) => `${one.id}: ${one.nodes[0].html}`).join('; '));
  check(`${at} nothing is logged`, said.length === 0, said.join(' '));
  if (folder) await tab.screenshot({ path: `${folder}/${theme}-${size}.png`, fullPage: true });
  await tab.close();
}

async function withoutScript(browser) {
  const tab = await browser.newPage();
  await tab.setJavaScriptEnabled(false);
  await tab.goto(`file://${page}`);
  await tab.setJavaScriptEnabled(true);
  const rows = await tab.$$eval('#overview tbody tr', (list) => list.length);
  const filter = await tab.$eval('.filter', (one) => one.hidden);
  check('without script: every case is there and no dead control', rows > 0 && filter, `${rows}`);
  await tab.close();
}
