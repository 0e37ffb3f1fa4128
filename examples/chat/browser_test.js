// The page in headless Chromium: alice in two tabs, bob in another browser, mallory on a phone. Leaves screenshots in build/demo.
// usage: node browser_test.js   (CHROMIUM=/path/to/chromium, default /usr/bin/chromium)
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { start } from './stack.js';

const desktop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };
const flags = [
  '--no-sandbox', '--disable-quic', '--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync',
];

let failed = 0;
async function step(name, play) {
  try {
    const words = await play();
    console.log(`  ✓ ${name}${words ? `: ${words}` : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`  ✗ ${name}: ${error.message.split('\n').slice(0, 4).join(' | ')}`);
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

process.env.TOKEN_LIFE ??= '30'; // seconds; half a minute is enough to watch
const life = Number(process.env.TOKEN_LIFE);
const chat = await start();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
const shot = (page, name) => page.screenshot({ path: join(chat.directory, `${name}.png`) });
const troubles = [];

async function person(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: desktop, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(15000);
  return context;
}

async function open_page(context) {
  const page = await context.newPage();
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Uncaught/.test(message.text())) troubles.push(message.text());
  });
  await page.goto(chat.app);
  await page.getByRole('heading', { name: 'A chat behind a gate' }).waitFor();
  return page;
}

async function log_in(page, who) {
  await page.getByRole('button', { name: new RegExp(`^${who}`) }).click();
  await page.locator('#status').getByText('Connected').waitFor();
}

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.said.mine .text').getByText(text).last().waitFor();
}

const heard = (page, text) => page.locator('.said:not(.mine) .text').getByText(text).waitFor();
const no_wider_than = async (page, width) => {
  const content = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(content <= width, `the page is ${content} px wide on a screen of ${width}`);
};

try {
  const alices = await person();
  const bobs = await person({ colorScheme: 'dark' });
  let alice;
  let alice_too;
  let bob;

  await step('alice logs in, and sees who the backend takes her for', async () => {
    alice = await open_page(alices);
    await shot(alice, 'welcome');
    await log_in(alice, 'alice');
    await alice.locator('#subject').getByText('alice').waitFor();
    await alice.locator('.empty').waitFor();
    await shot(alice, 'empty');
    const left = Number(await alice.locator('#seconds').textContent());
    expect(left > life / 2 && left <= life, `${left} seconds left`);
    return `${left} s left`;
  });

  await step('she opens a second tab, and bob comes', async () => {
    alice_too = await open_page(alices);
    await log_in(alice_too, 'alice');
    bob = await open_page(bobs);
    await log_in(bob, 'bob');
  });

  await step('they talk', async () => {
    await say(alice, 'Good evening. Is the gate shut behind you?');
    await heard(bob, 'Is the gate shut');
    await say(bob, 'It is. I had to show my token twice.');
    await say(bob, '<img src=x onerror=alert(1)> is only text here, isn’t it?');
    await heard(alice, 'is only text here');
    await say(alice, 'Only text. And nobody comes in with somebody else’s name.');
    await alice_too.locator('.said.mine').getByText('somebody else’s name').waitFor();
    expect((await alice.locator('.messages img').count()) === 0, 'a message became markup');
  });

  await step('a second room, and what was missed in it', async () => {
    for (const page of [alice, bob]) {
      await page.getByLabel('Name of a room to join').fill('Battlements');
      await page.getByRole('button', { name: 'Join the room' }).click();
      await page.getByRole('heading', { name: '# battlements' }).waitFor();
    }
    await alice.getByRole('button', { name: '# lobby' }).click();
    await say(bob, 'Nice view up here.');
    await alice.getByLabel('1 unread').waitFor();
    await shot(alice, 'chat');
    await bob.getByRole('button', { name: '# lobby' }).click();
  });

  await step('a refresh, by hand', async () => {
    const until = await alice.locator('#until').textContent();
    await alice.waitForFunction((end) => Number(document.querySelector('#seconds').textContent) < end, life - 2);
    await alice.getByRole('button', { name: 'Refresh now' }).click();
    await alice.locator('.steps .gateway').getByText('refreshed').waitFor();
    await alice.waitForFunction((old) => document.querySelector('#until').textContent !== old, until);
  });

  await step('a refresh, by itself', async () => {
    await bob.locator('.steps .gateway').getByText('refreshed').waitFor({ timeout: (life + 10) * 1000 });
    expect(Number(await bob.locator('#seconds').textContent()) > life / 2, 'the count-down has not moved');
    await shot(bob, 'refreshed-dark');
    await say(bob, 'Still here, on the same connection.');
  });

  await step('log out everywhere closes the other tab, readably', async () => {
    await alice_too.waitForFunction(() => document.querySelector('#status').textContent === 'Connected');
    await alice.getByRole('button', { name: 'Log out everywhere' }).click();
    for (const page of [alice, alice_too]) {
      const notice = page.getByRole('alert').filter({ hasText: 'Logged out everywhere' });
      await notice.waitFor();
      expect(/close 4401 “[^”]*revoked/.test(await notice.textContent()), 'the notice does not show the close code and reason');
    }
    await shot(alice_too, 'revoked');
    expect((await bob.locator('#status').textContent()) === 'Connected', 'bob was closed, too');
    await alice_too.getByRole('button', { name: 'Log in again' }).click();
    await log_in(alice_too, 'alice');
  });

  await step('without a refresh, time closes', async () => {
    await bob.getByText('Refresh by itself').click();
    const notice = bob.getByRole('alert').filter({ hasText: 'The time was up' });
    await notice.waitFor({ timeout: (life + 20) * 1000 });
    await shot(bob, 'expired-dark');
    const told = await notice.locator('.wire').textContent();
    await bob.getByText('Refresh by itself').click();
    await bob.getByRole('button', { name: 'Connect again' }).click();
    await bob.locator('#status').getByText('Connected').waitFor();
    return told;
  });

  await step('mallory tries, and is refused each time', async () => {
    const mallory = await open_page(await person());
    await log_in(mallory, 'mallory');
    await mallory.getByRole('button', { name: 'Try all' }).click();
    await mallory.waitForFunction(() => document.querySelectorAll('#attempt-list .refused, #attempt-list .inside').length === 5);
    await shot(mallory, 'mallory');
    expect((await mallory.locator('#attempt-list .inside').count()) === 0, 'an attempt got in');
    const told = await mallory.locator('#attempt-list .result p:last-child').allTextContents();
    expect(told.every((line) => /close 4401/.test(line)), `not each says why: ${told.join('; ')}`);
    expect(new Set(told.slice(1)).size === 1, `forged, expired and misdirected differ: ${told.join('; ')}`);
  });

  await step('logged out in one tab, the other gets no token either', async () => {
    const context = await person();
    const [one, other] = [await open_page(context), await open_page(context)];
    for (const page of [one, other]) await log_in(page, 'alice');
    await one.getByRole('button', { name: 'Log out', exact: true }).click();
    await one.getByRole('heading', { name: 'A chat behind a gate' }).waitFor();
    await other.getByRole('button', { name: 'Refresh now' }).click();
    await other.locator('.steps .app').getByText('issues no token').waitFor();
    await other.reload();
    await other.getByRole('heading', { name: 'A chat behind a gate' }).waitFor();
  });

  await step('on a phone', async () => {
    for (const scheme of ['light', 'dark']) {
      const page = await open_page(await person({ viewport: phone, colorScheme: scheme, hasTouch: true, isMobile: true }));
      await no_wider_than(page, phone.width);
      await shot(page, `phone-welcome-${scheme}`);
      await log_in(page, scheme === 'light' ? 'mallory' : 'alice');
      if (scheme === 'light') {
        await page.getByRole('button', { name: 'Try: Expired token' }).click();
        await page.locator('#attempt-list .refused').waitFor();
        await shot(page, 'phone-mallory-light');
        await page.getByRole('button', { name: '# lobby' }).click();
        await say(bob, 'Who is that on the phone?');
        await heard(page, 'Who is that');
        await say(page, 'Nobody you know.');
      } else {
        await say(bob, 'And who is that?');
        await heard(page, 'And who is that');
        await say(page, 'Me, on my phone.');
      }
      await shot(page, `phone-chat-${scheme}`);
      await page.locator('#panel summary').click();
      await page.locator('#refresh').waitFor();
      await shot(page, `phone-panel-${scheme}`);
      await no_wider_than(page, phone.width);
    }
  });

  await step('a browser that does not know the gateway’s certificate is told what to do', async () => {
    const page = await open_page(await person());
    await page.route(`${chat.gateway}/**`, (route) => route.abort('failed'));
    await page.evaluate(() => {
      // A socket that cannot be opened, as a browser shows it to the page.
      window.WebSocket = class extends EventTarget {
        constructor() {
          super();
          setTimeout(() => this.dispatchEvent(new CloseEvent('close', { code: 1006 })));
        }
        close() {}
      };
    });
    await page.getByRole('button', { name: /^bob/ }).click();
    await page.getByRole('heading', { name: 'One more certificate to accept' }).waitFor();
    const link = await page.locator('#notice a').getAttribute('href');
    expect(link === `${chat.gateway}/.sallyport/jwks.json`, `the link goes to ${link}`);
    await shot(page, 'certificate');
  });

  await step('no error in the page', async () => expect(troubles.length === 0, troubles.join('; ')));
} finally {
  await browser.close();
  await chat.stop();
}
console.log(failed ? `\n  ${failed} failed` : '\n  all came out right');
process.exit(failed ? 1 : 0);
